"""What a commit scored, on runs that may be compared with each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.tell.figures.rows import usable_score


@dataclass(frozen=True)
class Measured:
    """A commit and the mean score of its `runs` scored runs; `score` is None before the first."""

    commit: str
    score: float | None
    runs: int


Yardstick = tuple[str, str | None]
"""Kind of runner and fingerprint of the evaluation: only scores that share both are compared."""


def yardstick_of(campaign: Campaign) -> Yardstick | None:
    """Return what the newest measured incumbent was measured with, None before the first score."""
    for commit in reversed(campaign.incumbents):
        for run in reversed(campaign.runs_by_commit.get(commit, ())):
            if usable_score(run) is not None:
                return run.runner, run.fingerprint
    return None


def scores_on(runs: Sequence[RunFinished], yardstick: Yardstick | None) -> tuple[list[float], bool]:
    """Return the scores on the yardstick and True; those of the newest other one and False if it has none."""
    scored = [(run, score) for run in runs if (score := usable_score(run)) is not None]
    on = [score for run, score in scored if (run.runner, run.fingerprint) == yardstick]
    if on:
        return on, True
    if not scored:
        return [], False
    newest = scored[-1][0]
    return scores_on(runs, (newest.runner, newest.fingerprint))[0], False


def measured(campaign: Campaign, commit: str, yardstick: Yardstick | None) -> Measured:
    """Return the mean score of `commit` on the yardstick, or on the newest other one that it was run on."""
    scores, _ = scores_on(campaign.runs_by_commit.get(commit, ()), yardstick)
    return Measured(commit, fmean(scores) if scores else None, len(scores))
