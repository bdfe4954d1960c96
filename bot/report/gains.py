"""How much the campaign's experiments gained, as the difference of means of runs that may be compared.

What others brought by the base branch is no gain of an experiment: it is measured anew when it is taken in, and
counting goes on from there. So a gain is a sum over stretches between two such points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bot.report.measured import Yardstick, scores_on
from bot.report.rows import RunIndex, usable_score
from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.statistics import t_quantile

GAIN_CONFIDENCE = 0.90


@dataclass(frozen=True)
class Gain:
    """How much better the experiments made the incumbent: positive is better, in score units.

    A difference of means of the runs at hand, with a one-sided half width at `GAIN_CONFIDENCE`; None where
    the noise is not known yet. Where winners were picked by these runs it flatters them: see `gain_of`.
    """

    value: float
    half_width: float | None
    baseline_runs: int
    incumbent_runs: int


def origin_of(campaign: Campaign, runs: RunIndex, yardstick: Yardstick | None) -> int:
    """Return the place among the incumbents of the baseline: the first one, unless the base branch changed
    what is measured, or moved on before the first one was ever run."""
    wanted = yardstick[1] if yardstick else None
    for place in (0, *campaign.taken_in):
        own = runs.by_commit.get(campaign.incumbents[place], ())
        if any(usable_score(run) is not None and run.fingerprint == wanted for run in own):
            return place
    return 0


def gain_of(
    campaign: Campaign,
    runs: RunIndex,
    yardstick: Yardstick | None,
    *,
    sigma: float | None,
    degrees: float,
    since: int,
    unpicked: bool = False,
) -> Gain | None:
    """Return the gain from the incumbent at the place `since` to the present one; None where runs are missing.

    With `unpicked` the winners' own runs, by which they were picked, don't count: what is left is free of
    the bias that comes from picking.
    """
    stretches = _stretches(campaign, since)
    total, variance, before_runs, after_runs = 0.0, 0.0, 0, 0
    for first, last in stretches:
        before, before_fits = scores_on(runs.by_commit.get(first, ()), yardstick)
        after, after_fits = scores_on(_counted(runs.by_commit.get(last, ()), unpicked), yardstick)
        if not (before_fits and after_fits):
            return None
        before_runs, after_runs = before_runs + len(before), after_runs + len(after)
        if first != last:
            total += fmean(before) - fmean(after)
            variance += 1 / len(before) + 1 / len(after)
    value = total if campaign.direction == "minimize" or not total else -total
    if not variance:
        return Gain(0.0, 0.0, before_runs, after_runs)
    half_width = None
    if sigma is not None:
        half_width = t_quantile(GAIN_CONFIDENCE, max(1.0, degrees)) * sigma * variance**0.5
    return Gain(value, half_width, before_runs, after_runs)


def _counted(runs: Sequence[RunFinished], unpicked: bool) -> Sequence[RunFinished]:
    return [run for run in runs if run.experiment is None] if unpicked else runs


def _stretches(campaign: Campaign, since: int) -> list[tuple[str, str]]:
    """Return first and last incumbent between two points at which the base branch was taken in.

    Stretches in which nothing happened are left out, unless there is no other.
    """
    starts = [since, *(place for place in campaign.taken_in if place > since)]
    ends = [*(place - 1 for place in starts[1:]), len(campaign.incumbents) - 1]
    named = [(campaign.incumbents[a], campaign.incumbents[b]) for a, b in zip(starts, ends, strict=True)]
    return [pair for pair in named if pair[0] != pair[1]] or named[-1:]
