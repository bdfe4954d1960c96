"""How much quicker or slower than the reference, from rounds in which both did the same."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Student's t, two-sided 95 %, by degrees of freedom (1 to 30).
_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
_DEVIATIONS = 3.0


@dataclass(frozen=True)
class Timing:
    """What timing a function gave. `ratios` has one figure for each round: the candidate's seconds over the
    reference's, below 1 if the candidate is quicker.

    `total` is the ratio of all seconds, which one disturbed call may spoil. `seconds` and `reference_seconds` are of
    one call, the median over all, by the `clock` "cpu" or "wall".
    `answers` and `reference_answers` are what both gave, call by call.
    """

    ratios: tuple[float, ...]
    total: float
    seconds: float
    reference_seconds: float
    clock: str
    memory_mb: float
    answers: list[Any]
    reference_answers: list[Any]

    @property
    def ratio(self) -> float:
        """The ratio over all rounds: a mean of logarithms, without the highest and the lowest of five or more."""
        return math.exp(_centre([math.log(each) for each in self.ratios])[0])

    @property
    def margin(self) -> float:
        """So far may the ratio be off, as a share of it: half of the 95 % interval; infinite for one round."""
        return math.expm1(_centre([math.log(each) for each in self.ratios])[1])


def ratio_of(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the ratio of one round from the seconds of its calls, pair by pair: the mean logarithm of the middle half.

    What disturbs a machine is short and strong: it falls on few calls, and those are left out. Who puts work off to few
    calls pays for it all the same: what they take beyond chance is added.
    """
    logs = sorted(math.log(max(ours, 1e-9) / max(theirs, 1e-9)) for ours, theirs in pairs)
    cut = len(logs) // 4
    kept = logs[cut : len(logs) - cut]
    ratio = math.exp(sum(kept) / len(kept))
    if not cut:
        return ratio
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return ratio + beyond(ours, theirs, ratio) / max(sum(theirs), 1e-9)


def beyond(ours: Sequence[float], theirs: Sequence[float], ratio: float) -> float:
    """Return the seconds that `ours` took in all beyond `ratio` times `theirs`, and beyond what chance explains.

    How far chance reaches is told by how far `theirs` lie apart: no figure of a candidate's own widens it.
    """
    chance = _DEVIATIONS * statistics.pstdev(theirs) * math.sqrt(2 * len(theirs))
    return max(0.0, sum(ours) - ratio * (sum(theirs) + chance))


def _centre(values: Sequence[float]) -> tuple[float, float]:
    """Return a mean without the extremes, and half of its 95 % interval.

    Trimmed mean and winsorized variance: Tukey and McLaughlin 1963; Yuen 1974.
    """
    count, cut = len(values), 1 if len(values) >= 5 else 0
    kept = sorted(values)[cut : count - cut]
    mean = sum(kept) / len(kept)
    if len(kept) < 2:
        return mean, math.inf
    drawn_in = [min(max(each, kept[0]), kept[-1]) for each in values]
    centre = sum(drawn_in) / count
    squares = sum((each - centre) ** 2 for each in drawn_in)
    error = math.sqrt(squares / (len(kept) * (len(kept) - 1)))
    degrees = len(kept) - 1
    return mean, error * (_T[degrees - 1] if degrees <= len(_T) else 1.96)
