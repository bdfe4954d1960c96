"""What the search believes about an effect: Bayesian linear regression on steps and squared steps.

Each knob's effect is a parabola in its coordinate, knobs add up, and every experiment is one noisy
difference on it. The posterior is exact, costs O(n k^2), and needs no random numbers. See C. M. Bishop,
Pattern Recognition and Machine Learning, section 3.3; expected improvement after J. Mockus (1978).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.agents.constants import Value
from bot.agents.offline.knobs import Knob
from bot.agents.offline.lessons import Lessons, places_of
from bot.agents.offline.steps import coordinate
from bot.rules.proposal import PastExperiment

_CURVE = (
    0.3  # prior mean of the curvature, against the slope's deviation of 1: a good default is near its best
)
_CURVE_SPREAD = 0.25
_MISFIT = 0.12  # a parabola is wrong by about this much, per squared step
_LATEST = 400  # older experiments stand on incumbents too far away to say much


@dataclass(frozen=True)
class Belief:
    """The posterior: `mean` and `cover` over features; `scale` of effects and `noise` in score units."""

    knobs: Mapping[str, Knob]
    starts: Mapping[str, int]
    mean: NDArray[np.float64]
    cover: NDArray[np.float64]
    scale: float
    noise: float

    def effect(self, values: Mapping[str, Value]) -> tuple[float, float]:
        """Return mean and standard deviation of the effect of setting `values` on the incumbent."""
        row = np.zeros(len(self.mean))
        misfit = 0.0
        for name, value in values.items():
            step = _fill(row, self.knobs[name], self.starts[name], coordinate(self.knobs[name], value), 1.0)
            misfit += (_MISFIT * self.scale * self.knobs[name].weight * step * step) ** 2
        spread = float(row @ self.cover @ row) + misfit
        return float(row @ self.mean), math.sqrt(max(spread, 1e-24))


def believe(knobs: Sequence[Knob], lessons: Lessons, history: Sequence[PastExperiment]) -> Belief:
    """Return what `history` says about every knob, seen from the present incumbent."""
    by_name = {knob.name: knob for knob in knobs}
    seen = [
        past
        for past in sorted(history, key=lambda past: past.number)
        if past.effect is not None
        and math.isfinite(past.effect)
        and any(c.name in by_name for c in past.changes)
    ][-_LATEST:]
    noise, scale = _sizes(by_name, seen)
    starts: dict[str, int] = {}
    means: list[float] = []
    spreads: list[float] = []
    for knob in knobs:
        starts[knob.name] = len(means)
        size = scale * knob.weight * _interest(lessons, knob, noise)
        if knob.kind == "choice":
            means += [0.3 * size] * len(knob.choices)
            spreads += [size] * len(knob.choices)
        else:
            means += [-0.5 * knob.lean * size, _CURVE * size]
            spreads += [size, _CURVE_SPREAD * size]
    precision = np.diag([1.0 / (spread * spread) for spread in spreads])
    pull = precision @ np.array(means)
    for past in seen:
        row = np.zeros(len(means))
        own = past.sigma if past.sigma is not None and past.sigma > 0 else noise
        variance = own**2 + (0.05 * scale) ** 2
        for change in past.changes:
            places = places_of(by_name[change.name], change) if change.name in by_name else None
            if places is None:
                variance += (0.5 * scale) ** 2  # part of what was changed is not ours to explain
                continue
            knob = by_name[change.name]
            start = starts[change.name]
            far = max(
                abs(_fill(row, knob, start, places[1], 1.0)), abs(_fill(row, knob, start, places[0], -1.0))
            )
            variance += (_MISFIT * scale * knob.weight * far * far) ** 2
        precision += np.outer(row, row) / variance
        pull += row * ((past.effect or 0.0) / variance)
    cover = np.linalg.inv(precision)
    return Belief(by_name, starts, cover @ pull, cover, scale, noise)


def expected_gain(mean: float, spread: float, margin: float) -> float:
    """Return the expected size of an improvement beyond `margin`, negative effects improve."""
    better = -mean - margin
    z = better / spread
    density = math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return better * 0.5 * math.erfc(-z / math.sqrt(2)) + spread * density


def _fill(row: NDArray[np.float64], knob: Knob, start: int, place: float, sign: float) -> float:
    """Add the features of `place` to `row`; return its distance from the incumbent in bold steps."""
    if knob.kind == "choice":
        here = coordinate(knob, knob.constant.value)
        if place >= 0 and place != here:
            row[start + int(place)] += sign
        return 0.0
    step = place - coordinate(knob, knob.constant.value)
    row[start] += sign * step
    row[start + 1] += sign * step * step
    return step


def _sizes(by_name: Mapping[str, Knob], seen: Sequence[PastExperiment]) -> tuple[float, float]:
    """Return the typical noise of a measured effect and the scale of a learning rate's effect."""
    sigmas = [past.sigma for past in seen if past.sigma is not None and past.sigma > 0]
    sizes = []
    for past in seen:
        weights = [by_name[change.name].weight for change in past.changes if change.name in by_name]
        sizes.append(abs(past.effect or 0.0) / max(0.4, *weights, 0.0))
    if not seen:
        return 0.3, 1.0
    noise = statistics.median(sigmas) if sigmas else 0.3 * max(statistics.median(sizes), 1e-9)
    # A few disasters must not blow up the scale on which everything else is judged.
    kept = sorted(sizes)[: max(1, math.ceil(0.8 * len(sizes)))]
    prior = 3 * noise
    scale = math.sqrt((3 * prior**2 + sum(size**2 for size in kept)) / (3 + len(kept)))
    return noise, max(scale, 2 * noise)


def _interest(lessons: Lessons, knob: Knob, noise: float) -> float:
    """Return below 1 for a knob that was turned twice or more and never moved the score."""
    effects = [
        past.effect
        for found in lessons.singles.get(knob.name, {}).values()
        for past in found
        if past.effect is not None
    ]
    numb = len(effects) >= 2 and all(abs(effect) < 2 * noise for effect in effects)
    return 0.6 if numb else 1.0
