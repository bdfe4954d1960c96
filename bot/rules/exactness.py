"""Whether a metric repeats exactly: the same score from each run of a commit, whatever the seed.

Identical runs can also come from a metric of few values, such as the accuracy on 200 samples, which hides a noise
smaller than its steps. So the coarser the metric's steps are beside the noise to be expected, the more runs must
agree: of two commits that score alike, one with five runs and one with two are parted this way by chance in fewer
than 5 % of cases, whatever the noise is (a permutation test, 1 of 21).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

ROUNDING = 1e-9  # of the score: smaller differences are the order of additions
_AGREEING = 2  # runs that repeated their commit's score, where the steps are fine
_AGREEING_COARSE = 4
_FINE = 0.1  # of the expected noise
_MOST_VALUES = 64
_LARGEST_COUNT = 10_000


def same(one: float, other: float) -> bool:
    """Return whether two scores differ by no more than rounding."""
    return abs(one - other) <= ROUNDING * max(abs(one), abs(other))


def disagree(groups: Sequence[Sequence[float]]) -> bool:
    """Return whether any two scores of one group differ; each group holds one commit's scores of several seeds."""
    return any(not same(min(group), max(group)) for group in groups if len(group) > 1)


def repeats_exactly(groups: Sequence[Sequence[float]], expected_sigma: float) -> bool:
    """Return whether the scores of one commit (a group) are the same in all groups, and often enough to believe it.

    `expected_sigma` is the noise to assume of a metric that one knows nothing of, in score units.
    """
    repeated = [group for group in groups if len(group) > 1]
    agreeing = sum(len(group) - 1 for group in repeated)
    if agreeing < _AGREEING or disagree(repeated):
        return False
    if agreeing >= _AGREEING_COARSE:
        return True
    return step_of([score for group in groups for score in group]) <= _FINE * expected_sigma


def step_of(scores: Sequence[float]) -> float:
    """Return the distance of neighbouring values that a metric can take, as far as `scores` show it.

    That is the last decimal, or 1/n where all scores are fractions of a count n as exactly as they are written. What
    is written with few decimals may be such a fraction, and is taken for one.
    """
    values = list(dict.fromkeys(scores))[:_MOST_VALUES]
    decimals = max((_decimals(value) for value in values), default=0)
    last = 10.0**-decimals
    for count in range(1, min(10**decimals, _LARGEST_COUNT) + 1):
        if all(_is_fraction(value, count, last) for value in values):
            return max(1.0 / count, last)
    return last


def _decimals(value: float) -> int:
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _is_fraction(value: float, count: int, last: float) -> bool:
    off = abs(value * count - round(value * count))
    return off <= count * max(0.51 * last, 4e-16 * abs(value))
