"""The incumbents as steps: from which run and which experiment on each was the one to beat."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from bot.rules.campaign import Campaign
from bot.tell.figures.gains import Yardstick, scores_on
from bot.tell.figures.rows import places_of


@dataclass(frozen=True)
class Stair:
    """An incumbent from the run `index` on; `experiment` is None for the baseline and outside moves. `place` is where
    it stands on an axis of experiments: 0 before the first."""

    index: int
    commit: str
    score: float
    runs: int
    experiment: int | None
    place: float = 0.0


def staircase_of(campaign: Campaign, yardstick: Yardstick | None) -> tuple[Stair, ...]:
    """Return the incumbents that were measured, each from the run on that won it the place."""
    position = {run.run: index for index, run in enumerate(campaign.full_runs())}
    landed = {e.landed.commit: e.number for e in campaign.experiments.values() if e.landed}
    along = places_of(campaign)
    stairs: list[Stair] = []
    start, place = 0, 0.0
    for commit in campaign.incumbents:
        # What was measured by other tests or data stands on another scale, and no stair leads from there to here.
        of_commit = [
            r for r in campaign.runs_by_commit.get(commit, ()) if yardstick and r.fingerprint == yardstick[1]
        ]
        scores, _ = scores_on(of_commit, yardstick)
        if not scores:
            continue
        number = landed.get(commit)
        own = [position[run.run] for run in of_commit if run.experiment == number]
        if stairs:
            # What was landed is the incumbent from the run that won it the place; a commit that somebody
            # else brought, or brought back, from its next run.
            later = own[-1:] if number is not None else [at for at in own if at > start][:1]
            start = max([start, *later])
            place = max(place, along[start])
        stairs.append(Stair(start, commit, fmean(scores), len(scores), number, place))
    return tuple(stairs)
