"""What procedures find and how often they err, on campaigns whose truth is known: one table.

    python -m tests.benchmarks.truth [--campaigns N] [--rows NAME ...] [--procedures NAME ...] [--runs 100,300]
                                     [--seed-from K | --final]

All procedures of a campaign meet the same proposals in the same order and have the same GPU time. Seeds of tuning begin
at 0; the final table's begin at two millions (`--final`) and were not looked at before.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from multiprocessing import get_context

from bot.rules.simulated.play import Outcome, outcome
from tests.benchmarks.truth.play import play
from tests.benchmarks.truth.procedures import PROCEDURES
from tests.benchmarks.truth.rows import rows
from tests.benchmarks.truth.table import HEAD, lines

FINAL = 3_000_000
ALWAYS = ("oracle, rungs", "greedy")
_AT_ONCE = 2


def campaign(
    seed: int, *, row: str, procedures: Sequence[str], budgets: Sequence[float]
) -> dict[str, dict[float, Outcome]]:
    """Play one campaign by each procedure and return what stands at each budget."""
    found = {}
    for name in procedures:
        played = play(PROCEDURES[name], rows()[row], seed, *budgets)
        found[name] = {budget: outcome(played, budget) for budget in budgets}
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table row by row."""
    asked = _parser().parse_args(arguments)
    names = asked.procedures or list(PROCEDURES)
    names = [name for name in PROCEDURES if name in {*names, *ALWAYS}]
    unknown = [name for name in asked.rows or () if name not in rows()]
    if unknown:
        print(f"--rows: no row {unknown[0]!r}; there are: {', '.join(rows())}", file=sys.stderr)
        return 2
    budgets = [float(part) for part in asked.runs.split(",")]
    first = FINAL if asked.final else asked.seed_from
    seeds = range(first, first + asked.campaigns)
    began = time.monotonic()
    print(f"{asked.campaigns} campaigns a row, seeds from {first}\n{HEAD}", flush=True)
    os.nice(5)
    with get_context("fork").Pool(asked.processes) as pool:
        for row in asked.rows or rows():
            work = partial(campaign, row=row, procedures=names, budgets=budgets)
            played = pool.map(work, seeds, chunksize=1)
            found = {n: {b: [one[n][b] for one in played] for b in budgets} for n in names}
            print("\n".join(lines(row, found)), flush=True)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="truth", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--campaigns", type=int, default=200)
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="of the table's; all if none is named")
    parser.add_argument("--procedures", nargs="+", metavar="NAME", choices=list(PROCEDURES))
    parser.add_argument("--runs", default="100,300", help="budgets in full runs, separated by commas")
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seed-from", type=int, default=0)
    seeds.add_argument("--final", action="store_true", help="seeds that nothing was tuned on")
    parser.add_argument("--processes", type=int, default=_AT_ONCE)
    return parser


if __name__ == "__main__":
    sys.exit(main())
