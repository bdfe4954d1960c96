"""A Gaussian process over all settings at once, fitted to measured differences between pairs of settings.

Each knob has a relevance; slopes, curvatures, products of two knobs and a smooth rest scale with it. All is seen from
the incumbent, which is the origin; places are in bold steps. See C. E. Rasmussen and C. K. I. Williams, Gaussian
Processes for Machine Learning (2006), chapters 2, 4 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Ids: TypeAlias = NDArray[np.int64]

# Of a knob of relevance 1: the deviation of its slope is 1, and a good default is some 1.25 bold steps from its best.
CURVE = 0.4
_CURVE_SPREAD = 0.12
_PRODUCT = 0.3
PRODUCTS = 0.5 * _PRODUCT**2
SQUARES = _CURVE_SPREAD**2 - PRODUCTS
REST = 0.2**2
_REST_LENGTH = 1.5
LEAN = 0.5
CHOICE = 0.3  # what another choice is thought to cost
_AGREE = 0.7  # how far what a number does under one choice tells of it under another


@dataclass(frozen=True)
class Points:
    """Settings seen from the incumbent: `places` (m, numbers) in bold steps, `picks` (m, choices) as indices."""

    places: Array
    picks: Ids

    def __len__(self) -> int:
        return len(self.places)

    def at(self, rows: Sequence[int]) -> Points:
        """Return the points of these rows."""
        chosen = np.array(rows, dtype=np.int64)
        return Points(self.places[chosen], self.picks[chosen])


@dataclass(frozen=True)
class Prior:
    """What is thought before anything is measured: what each number's and each choice's name promises (0 to 1), the
    lean of each number, the incumbent's picks, and the effect of one bold step of what matters, in score units."""

    numbers: Array
    choices: Array
    leans: Array
    here: Ids
    scale: float


@dataclass(frozen=True)
class Data:
    """Differences measured: `effect` (n,) of going from `points[before]` to `points[after]`, with its variance."""

    points: Points
    before: Ids
    after: Ids
    effect: Array
    variance: Array

    @cached_property
    def alike(self) -> Alike:
        """Return in which choices all points agree with one another."""
        return Alike.of(self.points, self.points)


@dataclass(frozen=True)
class Alike:
    """In which choices points agree: `same` (left, right, choices) as 0 or 1; `factor` what disagreeing leaves."""

    same: Array
    factor: Array

    @classmethod
    def of(cls, left: Points, right: Points) -> Alike:
        """Compare each of `left` with each of `right`."""
        same = (left.picks[:, None, :] == right.picks[None, :, :]).astype(np.float64)
        return cls(same, _AGREE ** (same.shape[2] - same.sum(2)))


@dataclass(frozen=True)
class Parts:
    """A covariance and what it is made of: products of places (weighed), the smooth rest (1 at home), and what
    disagreeing in choices leaves of both."""

    whole: Array
    linear: Array
    rest: Array
    factor: Array | None


class Kernel:
    """Covariance and mean of scores under given relevances (in score units)."""

    def __init__(self, prior: Prior, numbers: Array, choices: Array) -> None:
        self.prior, self.numbers, self.choices = prior, numbers, choices
        largest = max(numbers.max(initial=0.0), choices.max(initial=0.0), 1e-300)
        self.narrow = np.sqrt(numbers / largest) / _REST_LENGTH
        self.rest = REST * float((numbers**2).sum() + (choices**2).sum())

    def covariance(self, left: Points, right: Points, alike: Alike | None = None) -> Array:
        """Return the covariance (left, right) of scores; `alike` if it is known."""
        return self.parts(left, right, alike).whole

    def parts(self, left: Points, right: Points, alike: Alike | None = None) -> Parts:
        """Return the covariance (left, right) of scores, and what it is made of."""
        x, y, w = left.places, right.places, self.numbers
        u, v = x * self.narrow, y * self.narrow
        rest = u @ v.T
        rest *= -1.0
        rest += 0.5 * (u * u).sum(1)[:, None] + 1.0
        rest += 0.5 * (v * v).sum(1)
        # A rational quadratic: quicker than a Gaussian.
        np.divide(1.0, np.maximum(rest, 1.0, out=rest), out=rest)
        weighed = x * w
        linear = weighed @ y.T
        whole = np.square(linear)
        whole *= PRODUCTS
        whole += self.rest * rest
        # Slopes and squares in one product.
        slopes = np.concatenate([weighed * w, SQUARES * weighed * weighed], 1)
        whole += slopes @ np.concatenate([y, y * y], 1).T
        if self.choices.size:
            alike = alike or Alike.of(left, right)
            whole *= alike.factor
            whole += alike.same @ (self.choices**2)
        return Parts(whole, linear, rest, alike.factor if alike is not None and self.choices.size else None)

    def variance(self, points: Points) -> Array:
        """Return the variance of each point's score."""
        x2, w2 = points.places**2, self.numbers**2
        linear, square = x2 @ self.numbers, (x2 * x2) @ w2
        found = x2 @ w2 + _CURVE_SPREAD**2 * square + PRODUCTS * (linear * linear - square)
        return np.asarray(found + self.rest + float((self.choices**2).sum()), dtype=np.float64)

    def mean(self, points: Points) -> Array:
        """Return what each point's score is thought to be beyond the incumbent's."""
        x = points.places
        found = (x * x) @ (CURVE * self.numbers) - x @ (LEAN * self.prior.leans * self.numbers)
        changed = (points.picks != self.prior.here).astype(np.float64)
        return np.asarray(found + changed @ (CHOICE * self.choices), dtype=np.float64)


class Fit:
    """One sample of relevances with its posterior; raises `numpy.linalg.LinAlgError` if they explain nothing."""

    def __init__(self, kernel: Kernel, data: Data) -> None:
        self.kernel, self.data = kernel, data
        covariance = kernel.covariance(data.points, data.points, data.alike)
        rows = covariance.take(data.after, 0) - covariance.take(data.before, 0)
        mean = kernel.mean(data.points)
        away = data.effect - (mean[data.after] - mean[data.before])
        # The last row of the factor of the matrix bordered by `away` is what solves for it.
        count = len(away)
        gram = np.empty((count + 1, count + 1))
        np.subtract(rows.take(data.after, 1), rows.take(data.before, 1), out=gram[:count, :count])
        gram.ravel()[: count * (count + 2) : count + 2] += data.variance
        gram[count, :count] = gram[:count, count] = away
        gram[count, count] = 1.0 + float(away @ away) / float(data.variance.min(initial=1.0))
        lower = np.linalg.cholesky(gram)
        self.lower, self.solved = lower[:count, :count], lower[count, :count]
        self.evidence = float(-0.5 * self.solved @ self.solved - np.log(self.lower.diagonal()).sum())


class Posterior:
    """What one fit predicts of any point."""

    def __init__(self, fit: Fit) -> None:
        self.kernel, self.data = fit.kernel, fit.data
        prior = fit.kernel.prior
        self.origin = Points(np.zeros((1, prior.numbers.size)), prior.here[None, :])
        self.inverse = np.linalg.inv(fit.lower)
        self.weights = self.inverse.T @ fit.solved
        self.known = self.kernel.covariance(self.origin, self.data.points)

    def effect(self, points: Points) -> tuple[Array, Array]:
        """Return mean and deviation of each point's score less the incumbent's."""
        kernel, data = self.kernel, self.data
        known = kernel.covariance(points, data.points) - self.known
        cross = known[:, data.after] - known[:, data.before]
        mean = kernel.mean(points) + cross @ self.weights
        apart = kernel.variance(points) + kernel.variance(self.origin)
        apart = apart - 2 * kernel.covariance(points, self.origin)[:, 0]
        told = ((cross @ self.inverse.T) ** 2).sum(1)
        return mean, np.sqrt(np.maximum(apart - told, 1e-24))
