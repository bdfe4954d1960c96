"""How much each knob matters, by what was measured: samples of relevances, or the likeliest ones.

A handful of experiments can't settle relevances, so they are sampled, and every prediction is a mean over the samples:
R. M. Neal, Monte Carlo Implementation of Gaussian Process Models (1997). Later, draws from the prior hardly ever hit
what the data say, and the likeliest are found by the slope of the evidence: Rasmussen and Williams (2006), section
5.4.1, in steps by its signs: M. Riedmiller and H. Braun, RPROP (1993).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np

from bot.agents.offline import model
from bot.agents.offline.model import Array, Data, Fit, Kernel, Posterior, Prior

# Most knobs hardly matter, and a name tells a little of which.
_MATTERS, _MATTERS_BY_NAME = 0.15, 0.4
_STRONG_SPREAD, _WEAK, _WEAK_SPREAD = 0.7, 0.12, 0.6
_FEW = 14  # experiments below which relevances are sampled
_MANY = 25  # from which chains are fewer, each longer
_STEPS = 10  # uphill
_FIRST, _LONGEST, _SHORTEST = 0.5, 1.0, 0.05  # of one, in the logarithm of a relevance
_SPREAD = 1.1  # of all relevances, as the ascent takes them
_MOST = 4.0  # beyond the usual: further up numbers lose their digits


def posteriors(prior: Prior, data: Data, turned: Sequence[int], rng: random.Random) -> list[Posterior]:
    """Return what is believed under relevances that the data make likely.

    `turned` are the columns (numbers, then choices) that the data speak of.
    """
    count = len(data.effect)
    if count < _FEW or prior.choices.size:  # choices decide which numbers count: no one sample tells of all
        chains, rounds = (4, 2) if count < _MANY else (2, 3)
        return [Posterior(_chain(prior, data, turned, rounds, rng)) for _ in range(chains)]
    return [Posterior(Fit(_climbed(prior, data, turned), data))]


def _chain(prior: Prior, data: Data, turned: Sequence[int], rounds: int, rng: random.Random) -> Fit:
    """Return the last fit of a chain that draws one relevance, or the size of all, anew at a time."""
    names = np.concatenate([prior.numbers, prior.choices])
    split = prior.numbers.size

    def fitted(relevance: Array, size: float) -> Fit:
        scaled = prior.scale * math.exp(size) * relevance
        return Fit(Kernel(prior, scaled[:split], scaled[split:]), data)

    at = np.array([_drawn(name, rng) for name in names])
    size, now = 0.0, fitted(at, 0.0)
    steps: list[int | None] = [None, None, *turned]
    for _ in range(rounds if len(data.effect) else 0):
        rng.shuffle(steps)
        for column in steps:
            new, other = at.copy(), size
            if column is None:
                other += rng.gauss(0, 0.5)
            else:
                new[column] = _drawn(names[column], rng)
            try:
                tried = fitted(new, other)
            except np.linalg.LinAlgError:
                continue
            better = tried.evidence - now.evidence - 0.5 * (other * other - size * size)
            if better > math.log(1.0 - rng.random()):
                at, size, now = new, other, tried
    return now


def _drawn(name: float, rng: random.Random) -> float:
    """Return a relevance as it is before anything is measured; `name` is what the name promises."""
    if rng.random() < _MATTERS + _MATTERS_BY_NAME * name:
        return math.exp(_STRONG_SPREAD * rng.gauss(0, 1))
    return _WEAK * math.exp(_WEAK_SPREAD * rng.gauss(0, 1))


def _climbed(prior: Prior, data: Data, turned: Sequence[int]) -> Kernel:
    """Return the kernel of the likeliest relevances; columns that were never turned keep what their names promise."""
    matters = _MATTERS + _MATTERS_BY_NAME * np.concatenate([prior.numbers, prior.choices])
    split = prior.numbers.size
    middle = math.log(prior.scale) + math.log(_WEAK) * (1 - matters)
    moves = np.zeros(len(middle))
    moves[list(turned)] = _FIRST
    at, slope, last = middle, Slope(prior, data), np.zeros(len(middle))
    for _ in range(_STEPS):
        now = slope.at(np.exp(at[:split]), np.exp(at[split:])) - (at - middle) / _SPREAD**2
        turns = np.sign(now) * np.sign(last)
        longer, shorter = np.minimum(moves * 1.3, _LONGEST), np.maximum(moves * 0.5, _SHORTEST)
        moves = np.where(moves == 0, 0.0, np.where(turns > 0, longer, np.where(turns < 0, shorter, moves)))
        at, last = np.minimum(at + np.sign(now) * moves, middle + _MOST), now
    return Kernel(prior, np.exp(at[:split]), np.exp(at[split:]))


class Slope:
    """How the evidence changes with the logarithm of each relevance."""

    def __init__(self, prior: Prior, data: Data) -> None:
        self.prior, self.data = prior, data
        count = len(data.effect)
        self.ends = np.zeros((count, len(data.points)))
        self.ends[np.arange(count), data.after] += 1
        self.ends[np.arange(count), data.before] -= 1
        self.x = data.points.places
        self.x2 = self.x**2
        self.changed = (data.points.picks != prior.here).astype(np.float64)

    def at(self, numbers: Array, choices: Array) -> Array:
        """Return the slopes at these relevances (in score units), of numbers and then of choices."""
        data, x, x2, ends = self.data, self.x, self.x2, self.ends
        kernel = Kernel(self.prior, numbers, choices)
        parts = kernel.parts(data.points, data.points, data.alike)
        gram = ends @ parts.whole @ ends.T
        gram.ravel()[:: len(gram) + 1] += data.variance
        inverse = np.linalg.inv(gram)
        weights = (inverse @ (data.effect - ends @ kernel.mean(data.points))) @ ends
        pull = 0.5 * (np.outer(weights, weights) - ends.T @ inverse @ ends)
        inner = pull * parts.factor if parts.factor is not None else pull
        own = numbers * numbers

        def along(matrix: Array, of: Array) -> Array:
            return np.asarray(((matrix @ of) * of).sum(0))

        found = 2 * own * (along(inner, x) + model.SQUARES * along(inner, x2))
        found += 2 * model.PRODUCTS * numbers * along(inner * parts.linear, x)
        bent = inner * parts.rest
        found += 2 * own * model.REST * float(bent.sum())
        near = bent * parts.rest * (kernel.rest * 2)
        found -= 0.5 * kernel.narrow**2 * (x2.T @ near.sum(1) - along(near, x))
        found += numbers * (weights @ (model.CURVE * x2 - model.LEAN * self.prior.leans * x))
        if not choices.size:
            return found
        assert data.alike is not None
        costs = 2 * choices**2 * np.einsum("pq,pqc->c", pull, data.alike.same)
        costs += 2 * choices**2 * model.REST * float(bent.sum())
        costs += choices * (weights @ self.changed) * model.CHOICE
        return np.concatenate([found, costs])
