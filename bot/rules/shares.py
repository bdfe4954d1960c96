"""Runs with a share of the budget: which shares of it, what they cost beside a whole run, what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING

from bot.rules.bounds import SMALLEST_SHARE

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign
    from bot.rules.events import RunFinished

VARIABLE = "NOCTURNE_BUDGET_SHARE"
"""What tells a command which part of its work to do; unset in a whole run."""
TRIED: tuple[float, ...] = (0.25,)
"""The rungs that `auto` tries."""
LARGEST_RUNG = 0.75
"""A longer run costs as good as a whole one."""
MOST_RUNGS = 4
DEAREST = 0.5
"""A rung may cost so much of a whole run, start-up, compiling and exam included: about three in four candidates end
there, and what goes on pays for both."""
SHORTEST = 60.0
"""Seconds of training in a whole run, below which start-up varies by as much as a rung saves."""

Scale = tuple[str, str | None, float]
"""Kind of runner, fingerprint and share: scores on one scale can be compared."""
_NEWEST, _AMONG = 20, 400  # runs that tell what one costs, and among how many they are sought
_NAMES = {0.5: "half-budget run", 0.25: "quarter-budget run"}


@dataclass
class Ends:
    """Experiments that are over and `tried` with one share of the budget; `given_up` are those that it ended."""

    tried: int = 0
    given_up: int = 0


@dataclass
class ShortRuns:
    """A campaign's runs with a share of the budget, by what they are looked up by."""

    places: dict[Scale, list[int]] = field(default_factory=dict)
    """How many runs, whole ones too, were there before each one."""
    scores: dict[Scale, dict[str, list[float]]] = field(default_factory=dict)
    """By commit, first to last."""
    tried: dict[Scale, list[RunFinished]] = field(default_factory=dict)
    """Those of experiments that have a score."""
    experiments: dict[float, dict[int, None]] = field(default_factory=dict)
    """Numbers of the experiments that have a score with each share."""
    seconds: dict[tuple[str, float], list[float]] = field(default_factory=dict)
    """What those with a score took, by kind of runner and share."""
    ends: dict[float, Ends] = field(default_factory=dict)

    def add(self, run: RunFinished, place: int) -> None:
        """Take in a run with a share of the budget."""
        scale = scale_of(run)
        self.places.setdefault(scale, []).append(place)
        if run.score is None:
            return
        self.scores.setdefault(scale, {}).setdefault(run.commit, []).append(run.score)
        self.seconds.setdefault((run.runner, run.share), []).append(run.seconds)
        if run.experiment is not None:
            self.tried.setdefault(scale, []).append(run)
            self.experiments.setdefault(run.share, {})[run.experiment] = None

    def end(self, tries: Sequence[RunFinished], discarded: bool) -> None:
        """Count an experiment that is over, by all runs of its candidate."""
        for share in {run.share for run in tries if not run.is_full and run.score is not None}:
            ends = self.ends.setdefault(share, Ends())
            ends.tried += 1
            ends.given_up += discarded and not any(run.share > share for run in tries)


def scale_of(run: RunFinished) -> Scale:
    """Return the scale of a run."""
    return run.runner, run.fingerprint, run.share


def run_words(share: float) -> str:
    """Return what a run with a share of the budget is called: "quarter-budget run"."""
    return _NAMES.get(share) or f"run with {100 * share:.3g} % of the budget"


def check_rungs(rungs: Sequence[float]) -> None:
    """Raise ValueError, which says what is wrong, for shares that can't be rungs."""
    if not rungs or len(rungs) > MOST_RUNGS:
        raise ValueError(f"must be auto, off, or 1 to {MOST_RUNGS} shares of the budget, such as [0.25]")
    if any(not SMALLEST_SHARE <= share <= LARGEST_RUNG for share in rungs):
        raise ValueError(f"each share of the budget must be from {SMALLEST_SHARE:g} to {LARGEST_RUNG:g}")
    if list(rungs) != sorted(set(rungs)):
        raise ValueError("must rise from one share to the next, such as [0.25, 0.5]")


def relative_cost(campaign: Campaign, runner: str, share: float) -> float | None:
    """Return what a run with `share` of the budget costs on a kind of runner, in whole runs: as the newest ones did, or
    before there are any as start-up, compiling and exam let expect, which are the same in both. None if no whole run
    tells, for none trains for as long as `SHORTEST`."""
    newest = islice(reversed(campaign.runs_on.get(runner, [])), _AMONG)
    whole = list(islice((run for run in newest if run.is_full and _trains_long_enough(run)), _NEWEST))
    if not whole:
        return None
    seconds = median(run.seconds for run in whole)
    short = campaign.short.seconds.get((runner, share), [])
    if short:
        return median(short[-_NEWEST:]) / seconds
    trained = median(min(1.0, run.metrics["training_seconds"] / run.seconds) for run in whole)
    return 1 - (1 - share) * trained


def worthwhile(campaign: Campaign, runner: str, rungs: Sequence[float]) -> tuple[float, ...]:
    """Return those of the `rungs` that are cheap enough beside a whole run on this kind of runner."""
    costs = {share: relative_cost(campaign, runner, share) for share in rungs}
    return tuple(share for share, cost in costs.items() if cost is not None and cost <= DEAREST)


def _trains_long_enough(run: RunFinished) -> bool:
    trained = run.metrics.get("training_seconds", 0.0)
    return run.score is not None and run.seconds > 0 and trained >= SHORTEST
