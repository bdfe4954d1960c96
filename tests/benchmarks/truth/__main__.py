"""What procedures find and how often they err, on campaigns whose truth is known: one table.

    python -m tests.benchmarks.truth [--campaigns N] [--rows NAME ...] [--procedures NAME ...] [--runs 100,300]
                                     [--seed-from K | --final] [--kept FILE]

All procedures of a campaign meet the same proposals in the same order and have the same GPU time. Seeds of tuning begin
at 0; the final table's begin at three millions (`--final`) and were not looked at before. What is kept in FILE, a line
for each procedure of a campaign, is not played again: stop the command when you like, and start it again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

from bot.rules.simulated.play import Outcome, outcome
from tests.benchmarks.truth.kept import Kept, Key
from tests.benchmarks.truth.play import play
from tests.benchmarks.truth.procedures import PARTS, PROCEDURES
from tests.benchmarks.truth.rows import rows
from tests.benchmarks.truth.table import HEAD, lines

FINAL = 3_000_000
ALWAYS = ("oracle, rungs", "greedy")
_AT_ONCE = 2


def campaign(key: Key) -> tuple[Key, dict[float, Outcome]]:
    """Play one campaign by one procedure and return what stands at each budget."""
    played = play({**PROCEDURES, **PARTS}[key.procedure], rows()[key.row], key.seed, *key.budgets)
    return key, {budget: outcome(played, budget) for budget in key.budgets}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table row by row."""
    asked = _parser().parse_args(arguments)
    names = asked.procedures or list(PROCEDURES)
    names = [name for name in (*PROCEDURES, *PARTS) if name in {*names, *ALWAYS}]
    unknown = [name for name in asked.rows or () if name not in rows()]
    if unknown:
        print(f"--rows: no row {unknown[0]!r}; there are: {', '.join(rows())}", file=sys.stderr)
        return 2
    budgets = tuple(float(part) for part in asked.runs.split(","))
    first = FINAL if asked.final else asked.seed_from
    seeds = range(first, first + asked.campaigns)
    began = time.monotonic()
    print(f"{asked.campaigns} campaigns a row, seeds from {first}\n{HEAD}", flush=True)
    os.nice(5)
    kept = Kept(asked.kept)
    with get_context("fork").Pool(asked.processes) as pool:
        for row in asked.rows or rows():
            keys = [Key(row, name, seed, budgets) for seed in seeds for name in names]
            for key, found in pool.imap_unordered(campaign, [key for key in keys if key not in kept]):
                kept.add(key, found)
            table = {
                n: {b: [kept[Key(row, n, s, budgets)][b] for s in seeds] for b in budgets} for n in names
            }
            print("\n".join(lines(row, table)), flush=True)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="truth", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--campaigns", type=int, default=200)
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="of the table's; all if none is named")
    parser.add_argument("--procedures", nargs="+", metavar="NAME", choices=[*PROCEDURES, *PARTS])
    parser.add_argument("--runs", default="100,300", help="budgets in full runs, separated by commas")
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seed-from", type=int, default=0)
    seeds.add_argument("--final", action="store_true", help="seeds that nothing was tuned on")
    parser.add_argument("--processes", type=int, default=_AT_ONCE)
    parser.add_argument(
        "--kept", type=Path, metavar="FILE", help="what was played, one JSON a line; begun if it is missing"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
