"""Axes: which stretch of values to show, where the ticks stand, how a value becomes a coordinate."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

_FINEST = 1e-11  # of the values' size: what doubles can tell apart on an axis


@dataclass(frozen=True)
class Scale:
    """A linear axis from the values `low`..`high` to the coordinates `start`..`end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the coordinate of `value`, held inside the axis."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def shows(self, value: float) -> bool:
        """Whether `value` lies on the axis."""
        return self.low <= value <= self.high


def robust_range(scores: Sequence[float], stairs: Sequence[float], sigma: float) -> tuple[float, float]:
    """Return the stretch of scores worth showing, with some air.

    The staircase is always on it. Single runs are, unless they lie more than six robust standard deviations
    (1.4826 x the median absolute deviation, or the noise if that is larger) off the median and off the
    staircase: one awful run must not flatten everything else.
    """
    finite = [score for score in scores if math.isfinite(score)] or [0.0]
    middle = median(finite)
    spread = max(1.4826 * median([abs(score - middle) for score in finite]), sigma)
    low, high = min([middle, *stairs]) - 6 * spread, max([middle, *stairs]) + 6 * spread
    kept = [score for score in finite if low <= score <= high]
    kept += [edge for stair in stairs for edge in (stair - 1.5 * sigma, stair + 1.5 * sigma)]
    bottom, top = min(kept, default=middle), max(kept, default=middle)
    air = 0.06 * (top - bottom) or max(abs(middle) * 0.01, 1e-6)
    air = max(
        air, _FINEST * max(abs(bottom), abs(top)), sys.float_info.min
    )  # else no tick differs from the next
    return bottom - air, top + air


def ticks(low: float, high: float, about: int) -> list[float]:
    """Return round values between `low` and `high`, about as many as asked: steps of 1, 2 or 5 x 10^n."""
    raw = (high - low) / max(1, about)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.75)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def tick_digits(values: Sequence[float]) -> int:
    """Return how many decimals the labels of these ticks need."""
    if len(values) < 2:
        return 3
    return max(0, -math.floor(math.log10(values[1] - values[0]) + 1e-9))
