"""What time adds to the uncertainty of a difference: machines drift, and two commits ran at different times. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.tracking import track


def wandered(
    campaign: Campaign, scale: tuple[str, str | None], before: Sequence[RunFinished], after: Sequence[RunFinished]
) -> float:  # fmt: skip
    """Return the variance, in squares of a run's noise, that drift adds to the difference of the means of two sets of
    runs on a scale: that of a random walk seen when they were made, at the rate to be expected from what the
    incumbents' runs tell of it."""
    known = track(campaign, campaign.incumbent, *scale)
    if known is None or known.exact or not before or not after:
        return 0.0
    rate = sum(drift * likely for drift, likely in known.drifts)
    sides = [[campaign.run_places[run.run] for run in side] for side in (before, after)]
    return rate * (
        _shared(sides[0], sides[0]) + _shared(sides[1], sides[1]) - 2 * _shared(sides[0], sides[1])
    )


def _shared(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the mean time that two points of two sets have in common: a random walk's covariance at rate 1."""
    return fmean(min(a, b) for a in one for b in other)
