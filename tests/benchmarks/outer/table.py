"""The table: true gains of all arms, their ratios with paired bootstrap intervals, and the bars of the outer loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.benchmarks.truth.effects import Numbers

_DRAWS = 2000


@dataclass(frozen=True)
class Row:
    """One campaign: true gains at the horizons in bits per byte, the runs that it took to the last, and by mechanism
    how many proposals it steered and how many of them it changed."""

    regime: str
    seed: int
    arm: str
    gains: tuple[float, ...]
    runs: float
    steered: Mapping[str, tuple[int, int]]


class Results:
    """All campaigns, by arm, regime and seed; `single` are the arms with one mechanism, among which an oracle picks."""

    def __init__(self, rows: Sequence[Row], single: Sequence[str]) -> None:
        self.rows = rows
        self.by = {(row.arm, row.regime, row.seed): row for row in rows}
        self.regimes = list(dict.fromkeys(row.regime for row in rows))
        self.arms = list(dict.fromkeys(row.arm for row in rows))
        self.single = [arm for arm in single if arm in self.arms]

    def seeds(self, regime: str, *arms: str) -> list[int]:
        """Return the seeds on which all of these arms were played."""
        played = [{row.seed for row in self.rows if (row.arm, row.regime) == (arm, regime)} for arm in arms]
        return sorted(set.intersection(*played)) if played else []

    def gains(self, arm: str, regime: str, place: int, seeds: Sequence[int]) -> Numbers:
        """Return the gains (seeds,) of an arm at a horizon."""
        return np.array([self.by[arm, regime, seed].gains[place] for seed in seeds])

    def oracle(self, regime: str, place: int) -> str:
        """Return the single mechanism that gains most in a regime, on the seeds that all of them played."""
        seeds = self.seeds(regime, *self.single)
        return max(
            self.single, key=lambda arm: float(self.gains(arm, regime, place, seeds).mean()) if seeds else 0.0
        )

    def pairs(self, regimes: Sequence[str], place: int, *arms: str) -> list[Numbers]:
        """Return for each regime the gains (arms, seeds) on common seeds; `oracle` is the best single mechanism's."""
        found = []
        for regime in regimes:
            named = [self.oracle(regime, place) if arm == "oracle" else arm for arm in arms]
            seeds = self.seeds(regime, *named)
            if seeds:
                found.append(np.stack([self.gains(arm, regime, place, seeds) for arm in named]))
        return found


def ratio(pairs: Sequence[Numbers], *, less: bool = False) -> tuple[float, float, float]:
    """Return the ratio of two arms' mean gains over regimes and its 95 % interval, by bootstrap over the seeds of each.

    `pairs` hold (2, seeds) for each regime; with `less`, (3, seeds): what the first has over the third, by what the
    second has over it. If a regime has one seed only, campaigns are drawn from all regimes together, for one tells
    nothing of its own spread; fewer than five in all have no interval.
    """
    rng = np.random.default_rng(0)
    if min(each.shape[1] for each in pairs) < 2:
        pairs = [np.concatenate(pairs, axis=1)]
    means = sum(each.mean(axis=1) for each in pairs)
    middle = float(_divided(np.asarray(means)[:, None], less=less)[0])
    if sum(each.shape[1] for each in pairs) < 5:
        return middle, float("nan"), float("nan")
    drawn = np.zeros((_DRAWS, len(pairs[0])))
    for each in pairs:
        picks = rng.integers(each.shape[1], size=(_DRAWS, each.shape[1]))
        drawn += each[:, picks].mean(axis=2).T
    low, high = np.quantile(_divided(drawn.T, less=less), [0.025, 0.975])
    return middle, float(low), float(high)


def _divided(means: Numbers, *, less: bool) -> Numbers:
    above, below = (means[0] - means[2], means[1] - means[2]) if less else (means[0], means[1])
    return np.asarray(above / np.where(np.abs(below) > 1e-9, below, np.nan))


def lines(results: Results, horizons: Sequence[int]) -> Iterator[str]:
    """Yield the whole table."""
    for place, horizon in enumerate(horizons):
        yield f"\nafter {horizon} experiments: mean true gain in mbpb / its ratio to plain's on the same seeds [95 %]"
        for regime in [*results.regimes, ""]:
            yield f"{regime or 'pooled'}"
            regimes = [regime] if regime else results.regimes
            for arm in [*results.arms, *(["oracle"] if results.single else [])]:
                pairs = results.pairs(regimes, place, arm, "plain")
                if pairs:
                    named = f" = {results.oracle(regime, place)}" if arm == "oracle" and regime else ""
                    count = sum(each.shape[1] for each in pairs)
                    gain = 1e3 * float(np.mean([each[0].mean() for each in pairs]))
                    yield f"  {arm:18} {gain:6.2f}  {said(*ratio(pairs))}  n {count}{named}"


def said(middle: float, low: float, high: float) -> str:
    """Return a ratio with its interval, if it has one; there is none over a gain of nothing."""
    if middle != middle:
        return "  - (over nothing)"
    return f"{middle:5.2f}" + (f" [{low:5.2f}, {high:5.2f}]" if low == low else " [no interval]")


def bars(results: Results, horizons: Sequence[int], trials: Sequence[tuple[str, int]]) -> Iterator[str]:
    """Yield what the trial must show, for each trial at the horizon at which it is read."""
    for arm, horizon in trials:
        if arm not in results.arms or horizon not in horizons:
            continue
        place = horizons.index(horizon)
        controls = [each for each in ("restart", "kick") if each in results.arms]
        best = max(controls, key=lambda c: ratio(results.pairs(results.regimes, place, c, "plain"))[0])
        every = results.regimes

        def beside(regimes: Sequence[str], *others: str, place: int = place, arm: str = arm) -> str:
            return said(*ratio(results.pairs(regimes, place, arm, *others), less=len(others) > 1))

        worst = min(every, key=lambda r: ratio(results.pairs([r], place, arm, best))[0])
        walled = [regime for regime in every if regime.startswith("fixated, walled")]
        yield f"\n{arm} at {horizon}"
        yield f"  over {best}, the better of restart and kick, pooled: {beside(every, best)}; bar: lower end > 1.15"
        yield f"  over {best}, worst regime ({worst}): {beside([worst], best)}; bar: 0.95"
        yield f"  of what the oracle adds over plain, pooled: {beside(every, 'oracle', 'plain')}; bar: 0.67"
        if walled:
            yield f"  over plain, fixated and walled: {beside(walled, 'plain')}; bar: 2"


def shares(results: Results, arms: Sequence[str]) -> Iterator[str]:
    """Yield which share of the proposals each mechanism steered and changed, alone and under trial."""
    for arm in arms:
        rows = [row for row in results.rows if row.arm == arm]
        whole = sum(steered for row in rows for steered, _ in row.steered.values())
        if not whole:
            continue
        names = sorted({name for row in rows for name in row.steered})
        told = []
        for name in names:
            steered, changed = (sum(row.steered.get(name, (0, 0))[k] for row in rows) for k in (0, 1))
            told.append(
                f"{name} {100 * steered / whole:.0f} % steered, of these {100 * changed / steered:.0f} % changed"
            )
        yield f"{arm}: {'; '.join(told)}"
