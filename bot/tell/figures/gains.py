"""How much the campaign's experiments gained, as the difference of means of runs that may be compared.

What others brought by the base branch is no gain of an experiment: it is measured anew when it is taken in, and
counting goes on from there. So a gain is a sum over stretches between two such points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Literal

from bot.rules.campaign import Campaign
from bot.rules.confirming import CONFIDENCE, Confirmation
from bot.rules.events import RunFinished
from bot.rules.statistics import EACH_END, t_quantile
from bot.rules.wandering import wandered
from bot.tell.figures.rows import usable_score


@dataclass(frozen=True)
class Gain:
    """How much better the experiments made the incumbent: positive is better, in score units.

    A difference of means of the runs at hand, with the half width of the interval that people are told and how large
    it is at least (one-sided, at `CONFIDENCE`); None if the noise is not known yet. If these runs picked the winners,
    it flatters them: see `gain_of`. `first` and `last` are the means at its ends. `uncounted` is how many of the last
    winners it leaves out.
    """

    value: float
    half_width: float | None
    baseline_runs: int
    incumbent_runs: int
    uncounted: int = 0
    first: float = 0.0
    last: float = 0.0
    least: float | None = None
    is_empty: bool = False
    """Whether nothing was merged between its ends."""


def origin_of(campaign: Campaign, yardstick: Yardstick | None) -> int:
    """Return the place among the incumbents of the baseline: the first one, unless the base branch changed
    what is measured, or moved on before the first one was ever run."""
    wanted = yardstick[1] if yardstick else None
    for place in (0, *campaign.taken_in):
        own = campaign.runs_by_commit.get(campaign.incumbents[place], ())
        if any(usable_score(run) is not None and run.fingerprint == wanted for run in own):
            return place
    return 0


def gain_of(
    campaign: Campaign,
    yardstick: Yardstick | None,
    *,
    sigma: float | None,
    degrees: float,
    since: int,
    unpicked: bool = False,
) -> Gain | None:
    """Return the gain from the incumbent at the place `since` to the present one; None if runs are missing.

    With `unpicked` the winners' own runs, by which they were picked, don't count: what is left is free of
    the bias that comes from picking. Winners without any other run yet are left out, as if they gained nothing. The
    interval allows for how far the machine may have drifted between the runs at both ends.
    """

    def runs(commit: str, *, picked: bool) -> list[RunFinished]:
        own = campaign.runs_by_commit.get(commit, ())
        return [run for run in own if picked or run.experiment is None]

    def scores(commit: str, *, picked: bool) -> list[float] | None:
        found, fits = scores_on(runs(commit, picked=picked), yardstick)
        return found if fits else None

    total, variance, before_runs, after_runs, uncounted = 0.0, 0.0, 0, 0, 0
    ends_at: list[float] = []
    for stretch in _stretches(campaign, since):
        ends = list(reversed(stretch))
        if unpicked:
            ends = [commit for commit in ends if commit == stretch[0] or scores(commit, picked=False)]
            uncounted += list(reversed(stretch)).index(ends[0])
        before = scores(stretch[0], picked=True)
        after = scores(ends[0], picked=not unpicked or ends[0] == stretch[0])
        if before is None or after is None:
            return None
        ends_at += [fmean(before), fmean(after)]
        before_runs, after_runs = before_runs + len(before), after_runs + len(after)
        if ends[0] != stretch[0]:
            total += fmean(before) - fmean(after)
            variance += 1 / len(before) + 1 / len(after)
            made = [runs(stretch[0], picked=True), runs(ends[0], picked=not unpicked)]
            on = [[run for run in side if _is_on(run, yardstick)] for side in made]
            variance += wandered(campaign, yardstick, *on) if yardstick is not None else 0.0
    value = total if campaign.direction == "minimize" or not total else -total
    half_width, least = (0.0, value) if not variance else (None, None)
    if variance and sigma is not None:
        half_width, below = (
            t_quantile(level, max(1.0, degrees)) * sigma * variance**0.5 for level in (EACH_END, CONFIDENCE)
        )
        least = value - below
    return Gain(
        value, half_width, before_runs, after_runs, uncounted, ends_at[0], ends_at[-1], least, not variance
    )


def gains_of(
    campaign: Campaign, yardstick: Yardstick | None, *, sigma: float | None, degrees: float, since: int
) -> tuple[Gain | None, Gain | None]:
    """Return the gain since an incumbent, and the same corrected for picking (see `gain_of`).

    The corrected one is None until runs that picked nothing were made with all merges in: a part of the merges is not
    what the campaign gained, and is told nowhere.
    """
    if not campaign.incumbents:
        return None, None
    told = partial(gain_of, campaign, yardstick, sigma=sigma, degrees=degrees, since=since)
    every, fresh = told(), told(unpicked=True)
    return every, None if fresh is None or fresh.uncounted else fresh


How = Literal["beside", "fresh", "picked"]
"""How a gain was measured: side by side on new seeds, by runs made after all merges, by those that picked winners."""


@dataclass(frozen=True)
class Told:
    """The gain that everything tells: from which score to which, by how much (positive is better), and by which runs.

    What others brought by the base branch lies between the two scores and is not in the gain.
    """

    how: How
    first: float
    last: float
    value: float
    half_width: float | None
    runs: tuple[int, int]


def told_of(
    gain: Gain | None, corrected: Gain | None, found: Confirmation | None, baseline: str
) -> Told | None:
    """Return the best that is known of the gain since the incumbent `baseline`; None if nothing was gained, or if no
    two scores can be laid side by side."""
    if found is not None and found.baseline == baseline:
        sides = [fmean(side) for side in zip(*found.pairs, strict=True)]
        made = len(found.pairs)
        return Told("beside", sides[0], sides[1], found.gain, found.half_width, (made, made))
    if gain is None or gain.is_empty:
        return None
    known = gain if corrected is None else corrected
    how: How = "picked" if corrected is None else "fresh"
    runs = known.baseline_runs, known.incumbent_runs
    return Told(how, known.first, known.last, known.value, known.half_width, runs)


def _stretches(campaign: Campaign, since: int) -> list[Sequence[str]]:
    """Return the incumbents from `since` on, parted where the base branch was taken in.

    Stretches in which nothing happened are left out, unless there is no other.
    """
    starts = [since, *(place for place in campaign.taken_in if place > since)]
    ends = [*starts[1:], len(campaign.incumbents)]
    parts: list[Sequence[str]] = [campaign.incumbents[a:b] for a, b in zip(starts, ends, strict=True)]
    return [part for part in parts if part[0] != part[-1]] or parts[-1:]


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


def _is_on(run: RunFinished, yardstick: Yardstick | None) -> bool:
    return usable_score(run) is not None and (run.runner, run.fingerprint) == yardstick


def measured(campaign: Campaign, commit: str, yardstick: Yardstick | None) -> Measured:
    """Return the mean score of `commit` on the yardstick, or on the newest other one that it was run on."""
    scores, _ = scores_on(campaign.runs_by_commit.get(commit, ()), yardstick)
    return Measured(commit, fmean(scores) if scores else None, len(scores))
