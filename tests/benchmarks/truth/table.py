"""The table: what each procedure found beside greedy, and how often it erred."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bot.rules.simulated.play import Outcome
from tests.benchmarks.truth.effects import Numbers

_DRAWS = 1000


@dataclass(frozen=True)
class Cell:
    """One procedure in one row at one budget, over all campaigns.

    `ratio`: its true gain over greedy's, with a paired 95 % bootstrap interval `low` to `high`; `oracle`: the same over
    the oracle's with rungs. `false`: share of merges whose true effect is no gain. `told`: gain told over true gain,
    where something was told; `covered`: share of campaigns in which the lower bound told holds.
    """

    gain: float
    ratio: float
    low: float
    high: float
    oracle: float
    merges: int
    false: float
    merges_per_100: float
    told: float
    covered: float
    runs_per_experiment: float
    per_experiment: float


def cell(
    mine: Sequence[Outcome], greedy: Sequence[Outcome], oracle: Sequence[Outcome], budget: float
) -> Cell:
    """Sum up the campaigns of one procedure; the three sequences are of the same campaigns."""
    own, theirs = _gains(mine), _gains(greedy)
    low, high = _interval(own, theirs)
    merges, experiments = sum(o.merges for o in mine), max(sum(o.experiments for o in mine), 1)
    said = [(o.told, o.truly, o.lower) for o in mine if o.told is not None and o.truly is not None]
    bounds = [lower <= true + 1e-12 for _, true, lower in said if lower is not None]
    return Cell(
        gain=float(own.mean()),
        ratio=_ratio(own.sum(), theirs.sum()),
        low=low,
        high=high,
        oracle=_ratio(own.sum(), _gains(oracle).sum()),
        merges=merges,
        false=_ratio(sum(o.false for o in mine), merges),
        merges_per_100=100 * merges / experiments,
        told=_ratio(sum(told for told, _, _ in said), sum(true for _, true, _ in said)),
        covered=_ratio(sum(bounds), len(bounds)),
        runs_per_experiment=sum(o.runs for o in mine) / experiments,
        per_experiment=len(mine) * budget / experiments,
    )


def _gains(outcomes: Sequence[Outcome]) -> Numbers:
    return np.array([o.gain for o in outcomes])


def _ratio(one: float, other: float) -> float:
    return float(one / other) if other else float("nan")


def _interval(own: Numbers, theirs: Numbers) -> tuple[float, float]:
    """Return the paired 95 % interval of the ratio of two sums (n,) by resampling campaigns."""
    picks = np.random.default_rng(0).integers(len(own), size=(_DRAWS, len(own)))
    below = theirs[picks].sum(axis=1)
    ratios = np.divide(own[picks].sum(axis=1), below, out=np.full(_DRAWS, np.nan), where=below > 0)
    if np.isnan(ratios).any():
        return float("nan"), float("nan")
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


HEAD = (
    f"{'row':24} {'procedure':19} {'GPU':>5} {'gain':>7} {'/greedy':>8} {'95 %':>12} {'/oracle':>7} {'false':>6}"
    f" {'merges':>7} {'told':>5} {'bound':>6} {'GPU-runs':>8}\n"
    f"{'':24} {'':19} {'runs':>5} {'mbpb':>7} {'':>8} {'':>12} {'rungs':>7} {'%':>6} {'/100':>7} {'/true':>5}"
    f" {'holds':>6} {'per exp.':>8}"
)


def line(row: str, name: str, budget: float, found: Cell) -> str:
    """Write one line of the table."""

    def shown(value: float, form: str) -> str:
        return "-" if value != value else format(value, form)

    interval = "-" if found.low != found.low else f"{found.low:.2f}..{found.high:.2f}"
    return (
        f"{row:24} {name:19} {budget:5.0f} {1e3 * found.gain:7.2f} {shown(found.ratio, '.2f'):>8} {interval:>12}"
        f" {shown(found.oracle, '.2f'):>7} {shown(100 * found.false, '.1f'):>6} {found.merges_per_100:7.2f}"
        f" {shown(found.told, '.2f'):>5} {shown(100 * found.covered, '.0f'):>6} {found.per_experiment:8.2f}"
    )


def lines(row: str, outcomes: Mapping[str, Mapping[float, Sequence[Outcome]]]) -> list[str]:
    """Return the lines of a row: outcomes by procedure and budget."""
    greedy, oracle = outcomes["greedy"], outcomes["oracle, rungs"]
    return [
        line(row, name, budget, cell(mine[budget], greedy[budget], oracle[budget], budget))
        for name, mine in outcomes.items()
        for budget in mine
    ]
