"""Mechanisms and their trial on campaigns whose truth is known: true gains, ratios with intervals, and the bars.

    make bench-outer
    python -m tests.benchmarks.outer [--repeats 25] [--heavy 25] [--regimes 1,2 ...] [--arms NAME ...]
                                     [--experiments 300] [--final] [--minutes M]

All arms of a repeat meet the same landscape, the same stock of edits, the same noise. Horizons are prefixes of one
campaign. Seeds of tuning begin at 0, those that the prior is learned from at 500,000, in regimes that are not in the
table; those of the last table at two millions (`--final`), and were not looked at before it. An oracle is the single
mechanism with the largest mean in the row itself, so a little luckier than anybody could know beforehand.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from multiprocessing import get_context

from bot.rules.outer.registry import names
from tests.benchmarks.outer.arms import HEAVY, RESEARCHER, TRIAL, WITH_PRIOR, arms, campaign
from tests.benchmarks.outer.landscapes import ELSEWHERE, FINAL, LONGEST, PRIOR, REGIMES, TUNING, Regime
from tests.benchmarks.outer.table import Results, Row, bars, lines, shares
from tests.benchmarks.outer.trials import prior_rows

HORIZONS = (30, 100, 300)
_LEARNED = 100  # experiments of a campaign that a prior is learned from
Task = tuple[Regime, int, str]


def play(task: Task, *, experiments: int, memory: int | None, prior: object) -> Row:
    """Play one campaign of the table."""
    regime, seed, arm = task
    game = campaign(regime, seed, arm, experiments, memory, prior)
    steered = Counter(each.mechanism for each in game.events)
    changed = Counter(each.mechanism for each in game.events if each.changed)
    return Row(
        regime.name, seed, arm,
        tuple(game.events[horizon - 1].gain for horizon in HORIZONS if horizon <= experiments),
        sum(each.cost for each in game.events),
        {name: (count, changed[name]) for name, count in steered.items()},
    )  # fmt: skip


def _learn(task: tuple[Regime, int], *, memory: int | None) -> list[dict[str, object]]:
    return prior_rows(*task, _LEARNED, memory)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    asked = _parser().parse_args(argv)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    regimes = [REGIMES[number - 1] for number in asked.regimes]
    wanted = asked.arms or list(arms())
    first = FINAL if asked.final else TUNING
    horizons = [horizon for horizon in HORIZONS if horizon <= asked.experiments]
    tasks = [
        (regime, first + repeat, arm)
        for repeat in range(asked.repeats)
        for arm in sorted(wanted, key=_turn)
        if arm not in HEAVY or repeat < asked.heavy
        for regime in regimes
    ]
    began = time.monotonic()
    print(
        f"seeds from {first:,}, {asked.repeats} repeats a regime ({asked.heavy} of what takes long), {len(regimes)}"
        f" regimes, {asked.experiments} experiments; the offline search is given the newest {asked.memory} of them;"
        f" prior from {len(ELSEWHERE)} other regimes, {asked.prior} campaigns of {_LEARNED} each"
    )
    done: list[Row] = []
    with get_context("fork").Pool(asked.processes) as pool:
        prior: object = None
        if WITH_PRIOR in wanted:
            learning = [(regime, PRIOR + seed) for seed in range(asked.prior) for regime in ELSEWHERE]
            learned = pool.map(partial(_learn, memory=asked.memory), learning, chunksize=1)
            prior = {"rows": [row for rows in learned for row in rows]}
        work = partial(play, experiments=asked.experiments, memory=asked.memory, prior=prior)
        for row in pool.imap(work, tasks):
            done.append(row)
            if asked.minutes is not None and time.monotonic() - began > 60 * asked.minutes:
                pool.terminate()
                break
    whole = _whole(done, tasks)
    results = Results(whole, [name for name in names() if name != "none"])
    print("\n".join(lines(results, horizons)))
    print(
        "\n".join(bars(results, horizons, ((TRIAL, 300), (WITH_PRIOR, 100), (TRIAL, 100), (RESEARCHER, 300))))
    )
    print("\nshare of the proposals")
    print("\n".join(shares(results, [arm for arm in arms() if arm in wanted and arm != "plain"])))
    print(f"\n{len(whole)} campaigns, {time.monotonic() - began:.0f} s on {asked.processes} processes")
    return 0


def _turn(arm: str) -> int:
    """Return when an arm is played in a repeat: what is compared first, what takes longest last."""
    order = ["plain", "restart", "kick", TRIAL, WITH_PRIOR, "mix"]
    if arm in order:
        return order.index(arm)
    return len(order) + [*(a for a in arms() if a not in HEAVY), *sorted(HEAVY)].index(arm)


def _whole(done: Sequence[Row], tasks: Sequence[Task]) -> list[Row]:
    """Return the campaigns of those arms and repeats that met all regimes: cut ones would favour the first."""
    meant = Counter((seed, arm) for _, seed, arm in tasks)
    played = Counter((row.seed, row.arm) for row in done)
    return [row for row in done if played[row.seed, row.arm] == meant[row.seed, row.arm]]


def _numbers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if not all(1 <= number <= len(REGIMES) for number in numbers):
        raise argparse.ArgumentTypeError(f"{text}: from 1 to {len(REGIMES)} is expected")
    return numbers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="outer", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--repeats", type=int, default=25, metavar="N", help="of each regime: 25 are 300 pairs in all"
    )
    parser.add_argument(
        "--heavy", type=int, default=25, metavar="N", help="of arms with the offline search in them"
    )
    parser.add_argument(
        "--regimes",
        type=_numbers,
        default=list(range(1, len(REGIMES) + 1)),
        metavar="1,2",
        help="by their numbers",
    )
    parser.add_argument("--arms", nargs="+", choices=list(arms()), metavar="NAME", help=", ".join(arms()))
    parser.add_argument("--experiments", type=int, default=LONGEST, choices=HORIZONS)
    parser.add_argument(
        "--memory", type=int, default=30, metavar="N", help="past experiments that the search is given"
    )
    parser.add_argument(
        "--prior", type=int, default=4, metavar="N", help="campaigns of each other regime for the prior"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=float, help="stop then, with what met all regimes")
    parser.add_argument("--final", action="store_true", help="seeds that nothing was tuned on")
    return parser


if __name__ == "__main__":
    sys.exit(main())
