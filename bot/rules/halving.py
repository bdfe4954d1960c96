"""Which merge does not hold, if the head's gain falls short of what was claimed for its merges: found by halving.

The stack of merges is cut in two, the commit between the halves is run on the seeds that baseline and head were run on,
and the half that falls short of its claims is cut again, until one merge is left: that is taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from bot.rules.campaign import Campaign
from bot.rules.confirming import (
    FAILURES,
    LEAST,
    Beside,
    Sides,
    baseline_of,
    confirmation_of,
    scores_beside,
    sides_of,
)
from bot.rules.statistics import Noise

_ERRORS = 2.0  # standard errors: a stack that holds half of its claims is cut in 1 of 44 cases
_SHORT = 0.5  # of the claims: what it must hold


@dataclass(frozen=True)
class Doubt:
    """A merge to take out: what was `claimed` for it, and what it was `worth` side by side, both positive if better, in
    score units."""

    experiment: int
    claimed: float
    worth: float


def next_cut(
    campaign: Campaign, scale: tuple[str, str | None], noise: Callable[[], Noise]
) -> Beside | Doubt | None:
    """Return the run that the search for what does not hold needs next, or what it found; None if the head holds, or
    is not measured side by side yet, or nothing can be told. `noise` is that of a run."""
    sides = sides_of(campaign, scale)
    if len(sides.seeds) < LEAST:
        return None
    found, path = confirmation_of(campaign, scale, noise()), _path(campaign)
    if found is None or found.gain + _ERRORS * found.error >= _SHORT * sum(_claims(campaign, path)):
        return None
    return _cut(campaign, path, scale, sides)


def _cut(
    campaign: Campaign, path: Sequence[str], scale: tuple[str, str | None], sides: Sides
) -> Beside | Doubt | None:
    baseline, seeds, claims = sides.baseline, sides.seeds, _claims(campaign, path)
    ends = {baseline: sides.before, sides.head: sides.after}
    low, high = 0, len(path) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if _failures(campaign, path[middle], baseline) >= FAILURES:
            return None
        own = scores_beside(campaign, path[middle], baseline, scale)
        lacking = next((seed for seed in seeds if seed not in own), None)
        if lacking is not None:
            return Beside(path[middle], baseline, lacking)
        ends[path[middle]] = own
        worth = [
            _worth(campaign, ends[path[a]], ends[path[b]], seeds) for a, b in ((low, middle), (middle, high))
        ]
        short = [sum(claims[low:middle]) - worth[0], sum(claims[middle:high]) - worth[1]]
        low, high = (low, middle) if short[0] > short[1] else (middle, high)
    number = campaign.landed_as.get(path[high])
    if number is None or number in campaign.doubted or campaign.experiments[number].reverts is not None:
        return None
    worth_of_it = _worth(campaign, ends[path[low]], ends[path[high]], seeds)
    return Doubt(number, claims[high - 1], worth_of_it)


def _path(campaign: Campaign) -> list[str]:
    """Return the incumbents from the baseline to the head."""
    place = len(campaign.incumbents) - 1 - campaign.incumbents[::-1].index(baseline_of(campaign))
    return list(dict.fromkeys(campaign.incumbents[place:]))


def _claims(campaign: Campaign, path: Sequence[str]) -> list[float]:
    """Return what was claimed for the step to each commit of the path but the first; 0 if nothing was."""
    sign = -1.0 if campaign.direction == "minimize" else 1.0
    claims = []
    for commit in path[1:]:
        experiment = campaign.experiment_of(commit)
        decision = experiment.decision if experiment is not None else None
        claims.append(sign * decision.effect if decision is not None and decision.effect is not None else 0.0)
    return claims


def _worth(
    campaign: Campaign, before: Mapping[int, float], after: Mapping[int, float], seeds: Sequence[int]
) -> float:
    sign = 1.0 if campaign.direction == "minimize" else -1.0
    return sign * fmean(before[seed] - after[seed] for seed in seeds)


def _failures(campaign: Campaign, commit: str, beside: str) -> int:
    own = (run for run in campaign.side_by_side if (run.commit, run.beside) == (commit, beside))
    return sum(run.score is None for run in own)
