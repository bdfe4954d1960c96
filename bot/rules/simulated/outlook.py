"""What other settings would have found: each plays the same campaigns, drawn from what is known of a real one."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from bot.rules.aims import AIMS
from bot.rules.simulated.driver import Ways, by_rule
from bot.rules.simulated.fitting import draws
from bot.rules.simulated.greedy import greedy
from bot.rules.simulated.ground import Bench, Drawn, Ground
from bot.rules.simulated.known import Known
from bot.rules.simulated.play import Outcome, Play, Procedure, outcome, play

KEEP_IF_LOWER = "keep if lower"
NOW = "as set"
_RESAMPLED = 1000
_MIDDLE = 0.8  # of the campaigns: what the interval of a gain holds
_SURE = 0.9
Interval = tuple[float, float]


@dataclass(frozen=True)
class Outlook:
    """What one setting finds in the simulated campaigns.

    `gain`: the true gain's mean, in score units, and the interval `spread` that holds the middle 80 % of campaigns.
    `ratio`: the sum of its gains over that of the present setting, with the 90 % interval `between` by resampling
    campaigns; None if the present one finds nothing. `experiments` and `merges` are means of a campaign; `false` is
    the share of the merges that gain nothing, None without any.
    """

    setting: str
    gain: float
    spread: Interval
    ratio: float | None
    between: Interval | None
    experiments: float
    merges: float
    false: float | None


def settings(ways: Ways) -> dict[str, Procedure]:
    """Return the settings to compare by their names: the present one first, every other aim, the present one without
    short runs if it has them, and what autoresearch does."""

    def by(made: Ways) -> Procedure:
        return lambda played: by_rule(played, made)

    found: dict[str, Procedure] = {f"{NOW} (aim: {ways.rule.aim})": by(ways)}
    for aim in AIMS:
        if aim != ways.rule.aim:
            found[f"aim: {aim}"] = by(replace(ways, rule=replace(ways.rule, aim=aim)))
    if ways.rungs:
        found["rungs: off"] = by(replace(ways, rungs=()))
    return found | {KEEP_IF_LOWER: greedy}


def outlooks(known: Known, ways: Ways, *, runs: float, seeds: Sequence[int]) -> list[Outlook]:
    """Return what each setting finds in `runs` whole runs' time, in one campaign for each of the `seeds`."""
    grounds = draws(known, len(seeds), seeds[0])
    asked = settings(ways)
    found = {
        name: [_played(each, ground, seed, runs) for ground, seed in zip(grounds, seeds, strict=True)]
        for name, each in asked.items()
    }
    return _compared(found)


def _played(procedure: Procedure, ground: Ground, seed: int, runs: float) -> Outcome:
    bench = Bench(ground, seed, runs)
    return outcome(play(procedure, Play(ground, bench, (runs,), Drawn(ground, seed))), runs)


def _compared(found: Mapping[str, Sequence[Outcome]]) -> list[Outlook]:
    now = [each.gain for each in next(iter(found.values()))]
    rng = random.Random(0)
    picks = [[rng.randrange(len(now)) for _ in now] for _ in range(_RESAMPLED)]
    return [_outlook(name, outcomes, now, picks) for name, outcomes in found.items()]


def _outlook(
    name: str, outcomes: Sequence[Outcome], now: Sequence[float], picks: Sequence[Sequence[int]]
) -> Outlook:
    gains = [each.gain for each in outcomes]
    merges = sum(each.merges for each in outcomes)
    ratios = [
        sum(gains[i] for i in pick) / below for pick in picks if (below := sum(now[i] for i in pick)) > 0
    ]
    told = sum(now) > 0 and len(ratios) == len(picks)
    return Outlook(
        setting=name,
        gain=fmean(gains),
        spread=_interval(gains, _MIDDLE),
        ratio=sum(gains) / sum(now) if sum(now) > 0 else None,
        between=_interval(ratios, _SURE) if told else None,
        experiments=fmean(each.experiments for each in outcomes),
        merges=merges / len(outcomes),
        false=sum(each.false for each in outcomes) / merges if merges else None,
    )


def _interval(values: Sequence[float], share: float) -> Interval:
    """Return the interval that holds this share of the values, as much on each side."""
    ranked, last = sorted(values), len(values) - 1
    cut = (1 - share) / 2
    return ranked[round(cut * last)], ranked[round((1 - cut) * last)]
