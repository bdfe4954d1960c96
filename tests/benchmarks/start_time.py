"""How long the command line takes to answer: median of several starts, with an empty Python for comparison."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time


def median_seconds(command: list[str], repeats: int) -> float:
    """Return the median wall-clock time of `command`."""
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> int:
    parser = argparse.ArgumentParser(description="Start time of the command line.")
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    script = sys.executable.rsplit("/", 1)[0] + "/nocturne"
    for name, command in (
        ("python -I -c pass", [sys.executable, "-I", "-c", "pass"]),
        ("nocturne --help", [script, "--help"]),
        ("nocturne run --help", [script, "run", "--help"]),
        ("nocturne-evaluator --help", [script + "-evaluator", "--help"]),
    ):
        print(f"{name:<28} {median_seconds(command, repeats):.3f} s (median of {repeats})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
