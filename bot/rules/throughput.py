"""Whether a run was as fast as its commit is: the cheapest sensor of a machine that others use too. Pure.

How much a change makes a training faster or slower nobody knows before it ran, but one commit does the same work in
each of its runs. So a run is compared with the earlier ones of its commit, by steps in a second of training. How far
that varies is learned on each kind of runner, robustly; what is off is repeated and not believed. If the next run is
off too, the machine has changed for longer, which the tracked incumbent follows. Tasks that tell no steps or train for
seconds are left alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from statistics import median

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.lost_runs import INFRASTRUCTURE

SCORE = "score_not_believed"
"""The metric that keeps such a run's score."""
SHORTEST = 15.0
"""Seconds of training below which start-up and clocks decide how fast a run seems."""
LEAST_OFF = 0.03
"""Of the speed: less is never off."""
_FEW = 6  # runs of commits that had run before: with fewer nothing is known of how far speed varies
_NEWEST = 80  # runs on a kind of runner
_DEVIATIONS = 5.0
_NORMAL = 1.4826  # times the median absolute deviation: the standard deviation of normal values


def believed(campaign: Campaign, run: RunFinished) -> RunFinished:
    """Return a run that is about to be recorded: as it is, or, if its speed is off, as one that the machine lost, by
    which no other run's time is charged either."""
    found = off(campaign, run)
    if found is None or run.score is None:
        return run
    said = (
        f"it trained {abs(found):.0%} {'slower' if found < 0 else 'faster'} than its commit did before: its score is"
        " not believed, and it runs once more"
    )
    failure = {"class": INFRASTRUCTURE, "reason": said}
    return replace(
        run, score=None, failure=failure, metrics={**run.metrics, SCORE: run.score}, reference=None
    )


def is_doubted(run: RunFinished) -> bool:
    """Whether a run's score was not believed for its speed."""
    return SCORE in run.metrics


def off(campaign: Campaign, run: RunFinished) -> float | None:
    """Return by which part a run was faster (below 0: slower) than its commit is, if that is more than chance; None if
    it is not, or if nothing tells."""
    newest = campaign.runs_on.get(run.runner, [])[-_NEWEST:]
    if newest and is_doubted(newest[-1]):
        return None
    own = _compared(campaign.tries_of(run.commit, runner=run.runner), run)
    if own is None:
        return None
    ratio, share = own
    others = list(_others(campaign, newest, run.share, share))
    if len(others) < _FEW:
        return None
    middle = median(others)
    spread = _NORMAL * median(abs(each - middle) for each in others)
    far = abs(ratio - middle) > max(math.log1p(LEAST_OFF), _DEVIATIONS * spread)
    return math.expm1(ratio - middle) if far else None


def _others(
    campaign: Campaign, newest: Iterable[RunFinished], share: float, of_share: float
) -> Iterator[float]:
    """Yield how runs with this share of the budget compared with those of their commit that had the other share."""
    for run in newest:
        if run.share == share and not is_doubted(run):
            place = campaign.run_places[run.run]
            tries = campaign.tries_of(run.commit, runner=run.runner)
            found = _compared(islice(tries, sum(campaign.run_places[t.run] < place for t in tries)), run)
            if found is not None and found[1] == of_share:
                yield found[0]


def _compared(earlier: Iterable[RunFinished], run: RunFinished) -> tuple[float, float] | None:
    """Return the logarithm of a run's speed over that of its commit's earlier runs, and which share of the budget those
    had: the same if any had it. None if there is nothing to compare."""
    mine = _speed(run)
    if mine is None:
        return None
    speeds: dict[float, list[float]] = {}
    for each in earlier:
        speed = _speed(each)
        if speed is not None and each.fingerprint == run.fingerprint and not is_doubted(each):
            speeds.setdefault(each.share, []).append(speed)
    if not speeds:
        return None
    share = run.share if run.share in speeds else max(speeds)
    return math.log(mine / median(speeds[share])), share


def _speed(run: RunFinished) -> float | None:
    """Return the steps in a second of training of a run that finished, None if it does not tell them."""
    steps, seconds = run.metrics.get("num_steps", 0.0), run.metrics.get("training_seconds", 0.0)
    ended = run.score is not None or is_doubted(run)
    return steps / seconds if ended and steps > 0 and seconds >= SHORTEST else None
