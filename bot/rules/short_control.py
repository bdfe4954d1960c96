"""Whether the machine is still where it was, told by a short run of the incumbent instead of a whole one. Pure.

Before a merge the incumbent runs once more, for the machine may have changed since it last did. Where candidates run
short first its short runs are at hand to compare with, and one more tells the same for a part of the time: what makes
whole runs better or worse makes short ones so too. If it is off, a whole run follows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.experiment import Experiment

STEADY = 1.5
"""Within so many of its own deviations the incumbent's short run is where it was."""
_REACH = 4  # newest short runs before


@dataclass(frozen=True)
class Control:
    """What the next run of the incumbent beside a challenger gets of the budget, and whether none is needed."""

    share: float = 1.0
    steady: bool = False


WHOLE = Control()
"""A whole run is needed."""


def control_of(
    campaign: Campaign, experiment: Experiment, whole: Sequence[RunFinished], sigma: float
) -> Control:
    """Return how the incumbent is to be controlled beside a candidate with these `whole` runs, first to last, if a run
    has the noise `sigma` (score units)."""
    if experiment.candidate is None or not whole:
        return WHOLE
    mine = [
        run
        for run in campaign.tries_of(experiment.candidate.commit)
        if not run.is_full and run.score is not None
    ]
    mine = [run for run in mine if run.runner == whole[0].runner]
    if not mine:
        return WHOLE
    like, began = mine[0], campaign.run_places[whole[0].run]
    tries = [run for run in campaign.tries_of(experiment.parent) if _on_scale(run, like)]
    before = [run.score for run in tries if campaign.run_places[run.run] < began and run.score is not None]
    since = [run for run in tries if campaign.run_places[run.run] > began]
    after = [run.score for run in since if run.score is not None]
    if not before or len(after) < len(since):
        return WHOLE
    if not after:
        return Control(like.share)
    before = before[-_REACH:]
    off = abs(fmean(after) - fmean(before))
    return Control(steady=off <= STEADY * sigma * math.sqrt(1 / len(after) + 1 / len(before)))


def _on_scale(run: RunFinished, like: RunFinished) -> bool:
    same = run.fingerprint == like.fingerprint or run.score is None
    return same and (run.runner, run.share) == (like.runner, like.share)
