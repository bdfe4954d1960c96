"""Whole campaigns, each of them hit by faults of one kind, and gone on with to their end: a table by kind and outcome.

    python -m tests.benchmarks.faults [--faults 300] [--only "disk full"] [--kept FILE] [--seed 1]

Each campaign is three experiments on the formula task, at the GitHub on loopback or in its clone alone, by commands
that are processes of their own. At a moment drawn from those of the kind (before or after a stage or a write to the
ledger, in a run) the command stands still and the fault comes, up to five times; what is said of it then is that of the
whole campaign:

- same end: it came to what its undisturbed twin came to, on the ledger and at GitHub;
- held: it came to its end, another one, and what must hold does;
- BROKEN: something does not hold, or it came to no end.

`--kept` takes up campaigns of an earlier call and keeps those of this one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.benchmarks.faults.bench import Bench, Row
from tests.benchmarks.faults.kinds import KINDS
from tests.benchmarks.faults.world import begin
from tests.github.server import serve


def table(rows: list[Row]) -> None:
    """Print kinds by outcome, in faults, and what commands said of them."""
    outcomes = ("same end", "held", "BROKEN")
    print(f"{'kind of fault':<46}{'campaigns':>10}{'faults':>8}" + "".join(f"{o:>10}" for o in outcomes))
    for kind in KINDS:
        mine = [row for row in rows if row["kind"] == kind.name]
        by = Counter[str]()
        for row in mine:
            by[row["outcome"]] += row["faults"]
        if mine:
            print(
                f"{kind.name:<46}{len(mine):>10}{sum(by.values()):>8}"
                + "".join(f"{by[o]:>10}" for o in outcomes)
            )
    whole = Counter[str]()
    for row in rows:
        whole[row["outcome"]] += row["faults"]
    print(
        f"{'all':<46}{len(rows):>10}{sum(whole.values()):>8}" + "".join(f"{whole[o]:>10}" for o in outcomes)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Campaigns under faults.")
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--only", nargs="+", default=[kind.name for kind in KINDS])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kept", type=Path, help="campaigns played so far, a line of JSON each")
    options = parser.parse_args()
    kept = options.kept
    rows: list[Row] = (
        [json.loads(line) for line in kept.read_text().splitlines()] if kept and kept.exists() else []
    )
    done = {(row["kind"], row["seed"]) for row in rows}
    kinds = [kind for kind in KINDS if kind.name in options.only and (not kind.disk or os.geteuid() == 0)]
    if len(kinds) < len(options.only):
        print("a full disk is left out: only root may mount the small one", file=sys.stderr)
    begin()
    with (
        tempfile.TemporaryDirectory(prefix="nocturne-faults-") as folder,
        serve(Path(folder, "github")) as github,
    ):
        bench = Bench(Path(folder), github)
        seed = options.seed
        while sum(row["faults"] for row in rows if row["kind"] in options.only) < options.faults:
            for number, kind in enumerate(kinds):
                home = kind.home if kind.home != "any" else ("github", "local")[(seed + number) % 2]
                if (kind.name, seed) in done:
                    continue
                row = bench.campaign(kind, home, seed)
                rows.append(row)
                print(
                    f"{kind.name}, {home}, seed {seed}: {row['faults']} faults, {row['outcome']}, {row['seconds']} s"
                    + "".join(f"\n    {each}" for each in row["wrong"]),
                    file=sys.stderr,
                    flush=True,
                )
                if kept:
                    with kept.open("a") as file:
                        file.write(json.dumps(row) + "\n")
            seed += 1
    table(rows)
    return any(row["outcome"] == "BROKEN" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
