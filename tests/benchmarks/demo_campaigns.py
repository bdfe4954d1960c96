"""Demo campaigns with different seeds: how many end with a gain that holds when it is measured again.

    make bench-demo                                                       ten campaigns, one after another
    python -m tests.benchmarks.demo_campaigns --campaigns 4 --jobs 2      two at a time (a core each)

A campaign counts as confirmed if head beats baseline side by side on three new seeds each, one-sided 90 %.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

LIMIT = 1800  # seconds after which a campaign is given up


def run_demo(folder: Path, seed: int) -> dict[str, Any]:
    """Run one demo and return its last line of JSON, with its wall-clock seconds."""
    began = time.monotonic()
    command = [sys.executable, "-I", "-m", "bot", "demo", "--dir", str(folder), "--seed", str(seed), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode != 0:
        return {"seed": seed, "failed": done.stderr.strip()}
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {"seed": seed, "wall_seconds": time.monotonic() - began, **answer}


def row(result: dict[str, Any]) -> str:
    if "failed" in result:
        return f"{result['seed']:>4}  failed: {result['failed']}"
    held, counts = result["confirmation"], result["experiments"]
    told = "nothing merged" if held is None else f"{held['gain']:+.3f} ± {held['half_width']:.3f}"
    holds = "yes" if held and held["holds"] else "no"
    return (
        f"{result['seed']:>4}  {result['wall_seconds']:>7.0f}  {counts['total']:>11}  {counts['improved']:>6}"
        f"  {result['baseline']['score']:>8.3f}  {result['incumbent']['score']:>6.3f}  {told:>16}  {holds}"
    )


def work(result: dict[str, Any]) -> tuple[int, int]:
    """Return how many runs a campaign made, those that confirm its gain left out, and for how many experiments."""
    if "failed" in result:
        return 0, 0
    held = result["confirmation"] or {"head": [], "baseline": []}
    return result["runs"] - len(held["head"]) - len(held["baseline"]), result["experiments"]["total"]


def main() -> int:
    parser = argparse.ArgumentParser(description="Demo campaigns: how many end confirmed.")
    parser.add_argument("--campaigns", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=1, help="campaigns at a time; a run uses one core")
    parser.add_argument("--first-seed", type=int, default=0)
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {arguments.jobs} at a time", flush=True)
    print("seed  seconds  experiments  merged  baseline    head  gain, beside   confirmed", flush=True)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.campaigns)
    confirmed, runs, experiments = 0, 0, 0
    with (
        tempfile.TemporaryDirectory(prefix="nocturne-bench-") as scratch,
        ThreadPoolExecutor(arguments.jobs) as pool,
    ):
        for result in pool.map(lambda seed: run_demo(Path(scratch, str(seed)), seed), seeds):
            confirmed += bool((result.get("confirmation") or {}).get("holds"))
            print(row(result), flush=True)
            made, done = work(result)
            runs, experiments = runs + made, experiments + done
    print(f"{confirmed} of {arguments.campaigns} campaigns ended with a confirmed gain")
    print(
        f"{runs} runs for {experiments} experiments, those side by side left out: {runs / max(1, experiments):.1f} each"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
