"""Do short trusted runs tell which change is good? Variants of the starter at a quarter, half and all of the budget.

    make bench-rungs-real                     # print what the committed runs say
    make bench-rungs-real ARGS="--run"        # make the runs that are missing, then print
    make bench-rungs-real ARGS="--run --variants 8"

Every run goes through the real evaluator, jail, exam and audit. The budget is in optimizer steps, as many as make the
work of 64 steps of the unchanged starter, so that busy neighbours change nothing and each run can be repeated exactly.
Each row is written as its run ends; rows that are there are not made again.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.rungs_table import table
from tests.benchmarks.rungs_variants import Variant, full_steps, variants

DATA = Path(__file__).parent / "data" / "rungs_real.csv"
COLUMNS = ("variant", "category", "share", "seed", "steps", "score", "failure", "cpu_seconds", "curve")
HEADER = """\
# Variants of the bundled starter at a quarter, half and all of the budget, made by `make bench-rungs-real ARGS=--run`:
# each trained, examined and audited by `nocturne-evaluator score --budget-share`. Budgets are optimizer steps, as many
# as make the work (floating-point operations) of 64 steps of the unchanged starter. score: bits per byte, lower is
# better. cpu_seconds: the candidate's, start-up and exam included. curve: printed loss by part of the steps done.
"""
# What tells most comes first: a short run, and a full one of another seed.
TURNS = (((0.25, 0), (1.0, 1)), ((0.5, 0), (1.0, 0)), ((0.25, 1), (0.5, 1)))
_BLOCK = 4  # of which the first has all its runs made at once, so that the deviation of runs is known early
RUN_SECONDS = 1800
Row = dict[str, str]


def rows(path: Path = DATA) -> list[Row]:
    """Return the rows that are there."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def missing(there: Sequence[Row], chosen: Sequence[Variant]) -> Iterator[tuple[Variant, float, int]]:
    """Yield the runs that are to be made, in their order: variant, share and seed."""
    done = {(row["variant"], float(row["share"]), int(row["seed"])) for row in there}
    order = []
    for start in range(0, len(chosen), _BLOCK):
        block = chosen[start : start + _BLOCK]
        order += [(variant, *each) for variant in block for each in TURNS[0]]
        order += [(block[0], *each) for turn in TURNS[1:] for each in turn]
    order += [(variant, *each) for turn in TURNS for variant in chosen for each in turn]
    for variant, share, seed in dict.fromkeys(order):
        if (variant.name, share, seed) not in done:
            yield variant, share, seed


def run(variant: Variant, share: float, seed: int, starter: Path) -> Row:
    """Make one run in a copy of the `starter`; raise RuntimeError if the evaluator can't do it at all."""
    text = (starter / "train.py").read_text(encoding="utf-8")
    steps = full_steps(variant, text)
    settings = {
        "budget": {"kind": "steps", "amount": steps}, "timeout_seconds": RUN_SECONDS, "threads": 1,
        "evaluation_seconds": RUN_SECONDS, "startup_seconds": RUN_SECONDS,
    }  # fmt: skip
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(variant.script(text))
        script.flush()
        command = [sys.executable, "-I", "-m", "evaluator", "score", str(starter), "--train", script.name]
        command += ["--seed", str(seed), "--budget-share", str(share), "--json", "--settings", "-"]
        done = subprocess.run(
            command, input=json.dumps(settings), capture_output=True, text=True, check=False,
            timeout=4 * RUN_SECONDS,
        )  # fmt: skip
    last = json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else {}
    if last.get("event") not in ("score", "failed"):
        raise RuntimeError(f"{variant.name}: {last.get('message') or done.stderr[-500:]}")
    return _row(variant, share, seed, max(1, round(steps * share)), last)


def _row(variant: Variant, share: float, seed: int, steps: int, last: dict[str, Any]) -> Row:
    score = last.get("score")
    return {
        "variant": variant.name,
        "category": variant.category,
        "share": f"{share:g}",
        "seed": str(seed),
        "steps": str(steps),
        "score": "" if score is None else f"{score:.6f}",
        "failure": str(last.get("class", "")),
        "cpu_seconds": f"{last['metrics'].get('cpu_seconds', 0.0):.1f}",
        "curve": _curve(last.get("curve") or (), steps),
    }


def _curve(points: Sequence[Sequence[float]], steps: int) -> str:
    """Return the printed losses, at most ten of them, each with the part of the steps that was done."""
    kept = points if len(points) <= 10 else [points[round(i * (len(points) - 1) / 9)] for i in range(10)]
    return " ".join(f"{step / steps:.2f}:{loss:.3f}" for step, _, loss in kept)


def append(row: Row, path: Path) -> None:
    """Write one row, after the header if it is the first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            file.write(HEADER)
            writer.writeheader()
        writer.writerow(row)


def make(path: Path, chosen: Sequence[Variant], until: str | None) -> None:
    """Make the runs that are missing, until a time of day (HH:MM) if one is given."""
    with tempfile.TemporaryDirectory() as folder:
        starter = Path(folder) / "starter"
        subprocess.run([sys.executable, "-I", "-m", "evaluator", "starter", str(starter)], check=True)
        for variant, share, seed in missing(rows(path), chosen):
            if until is not None and time.strftime("%H:%M") >= until:
                return
            began = time.monotonic()
            row = run(variant, share, seed, starter)
            append(row, path)
            said = f"{row['score'] or row['failure']} ({time.monotonic() - began:.0f} s)"
            print(f"{variant.name}, {share:g} of the budget, seed {seed}: {said}", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Make what is missing if asked, and print what the runs say."""
    parser = argparse.ArgumentParser(prog="rungs_real", description=__doc__)
    parser.add_argument("--run", action="store_true", help="make the runs that are missing")
    parser.add_argument("--variants", type=int, metavar="N", help="only the first N changes, and the starter")
    parser.add_argument("--until", metavar="HH:MM", help="begin no run after this time of day")
    parser.add_argument("--data", type=Path, default=DATA, metavar="FILE", help="the table of runs")
    args = parser.parse_args(argv)
    chosen = variants()[: None if args.variants is None else args.variants + 1]
    if args.run:
        make(args.data, chosen, args.until)
    print("\n".join(table(rows(args.data))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
