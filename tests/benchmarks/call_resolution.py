"""What difference in speed `call` resolves in ten paired rounds, beside busy processes.

    python -m tests.benchmarks.call_resolution [--effect 0.02] [--repeats 5] [--busy 4]

A function is timed against itself and against a reference that does exactly so much more of the same work, each by the
evaluator as in a run. A difference is resolved if the 95 % interval lies below 1; of equal files none should.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

WORK = """\
def work(seed):
    x = seed
    for _ in range({count}):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
    return x
"""
BENCH = """\
import random
from nocturne_candidate import Candidate, metric

draw = random.SystemRandom()
timing = Candidate("solution.py").time("work", lambda call: (draw.randrange(2**30),), rounds={rounds})
metric(ratio=timing.ratio, margin=timing.margin, calls=len(timing.answers), seconds=timing.seconds)
"""
COUNT = 50_000
SETTINGS = {
    "kind": "command",
    "editable": ["solution.py"],
    "call": ["solution.py"],
    "command": ["python", "bench.py"],
    "metric": {"name": "ratio"},
    "timeout_seconds": 900,
}


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep so many processes at work, which take memory and stop and go as others' do."""
    loop = (
        "import time, random\nheld = bytearray(8 << 20)\nwhile True:\n    until = time.monotonic() + random.random()\n"
        "    while time.monotonic() < until: held = held[1:] + b'x'\n    time.sleep(random.random() / 10)\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measured(effect: float, rounds: int) -> dict[str, float]:
    """Return the metrics of one run whose candidate does `effect` less than its reference."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bench.py").write_text(BENCH.format(rounds=rounds))
        Path(folder, "solution.py").write_text(WORK.format(count=round(COUNT * (1 - effect))))
        settings = SETTINGS | {"reference": {"solution.py": WORK.format(count=COUNT)}}
        done = subprocess.run(
            [sys.executable, "-I", "-m", "evaluator", "score", folder, "--json", "--settings", "-"],
            input=json.dumps(settings), capture_output=True, text=True, check=False,
        )  # fmt: skip
    last = json.loads(done.stdout.splitlines()[-1])
    if last["event"] != "score":
        sys.exit(f"no score: {last}")
    return dict(last["metrics"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--effect", type=float, default=0.02, help="true difference (0.02)")
    parser.add_argument("--repeats", type=int, default=5, help="runs with it, and as many without (5)")
    parser.add_argument("--rounds", type=int, default=10, help="paired rounds of a run (10)")
    parser.add_argument(
        "--busy", type=int, default=2 * (os.cpu_count() or 1), help="busy processes beside it"
    )
    args = parser.parse_args()
    print(f"{os.cpu_count()} cores, {args.busy} busy processes of ours, load before {os.getloadavg()[0]:.1f}")
    print(
        f"{'true':>7} {'measured':>9} {'margin':>7} {'resolved':>8} {'calls':>6} {'one call':>9} {'run':>7}"
    )
    resolved = dict.fromkeys((args.effect, 0.0), 0)
    with busy(args.busy):
        for _ in range(args.repeats):
            for effect in resolved:
                began = time.monotonic()
                found = measured(effect, args.rounds)
                below = found["ratio"] * (1 + found["margin"]) < 1
                resolved[effect] += below
                print(
                    f"{-effect:>7.1%} {found['ratio'] - 1:>9.2%} {found['margin']:>7.2%} {'yes' if below else 'no':>8}"
                    f" {found['calls']:>6.0f} {found['seconds'] * 1000:>6.1f} ms {time.monotonic() - began:>5.0f} s",
                    flush=True,
                )
    print(f"a true {args.effect:.0%} was resolved in {resolved[args.effect]} of {args.repeats} runs", end="")
    print(f", none in {resolved[0.0]} of {args.repeats}")


if __name__ == "__main__":
    main()
