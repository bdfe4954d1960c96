"""Shapes of real repositories, each from `nocturne init` to a first verdict by the commands that a user types.

    make bench-repositories
    python -m tests.benchmarks.repositories [--only NAME ...] [--list] [--keep DIR]

Prints one row for each shape: its verdict, or the line it ended with; the seconds from `init` to the verdict; and
what the user had to write besides init's defaults. All are small enough for a CPU, and nothing needs a network.
Ends with 1 if a shape reaches no verdict. `--keep DIR` leaves the repositories and what was said (`log.txt`) there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.repositories.catalogue import SHAPES, Shape
from tests.benchmarks.repositories.trial import Outcome, Stuck, attempt, lacks


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Shapes of real repositories, from init to a first verdict.")
    parser.add_argument(
        "--only", metavar="NAME", action="append", default=[], help="this shape; may be repeated"
    )
    parser.add_argument("--list", action="store_true", help="name the shapes and end")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="leave repositories and logs in this folder")
    arguments = parser.parse_args(argv)
    if arguments.list:
        for shape in SHAPES:
            print(f"{shape.name:<20} {shape.habit}")
        return 0
    unknown = set(arguments.only) - {shape.name for shape in SHAPES}
    if unknown:
        parser.error(f"--only: no shape {', '.join(sorted(unknown))}; --list names them")
    chosen = [shape for shape in SHAPES if not arguments.only or shape.name in arguments.only]
    print(f"{'shape':<20} {'outcome':<14} {'seconds':>7}  what the user had to write besides init's defaults")
    print("─" * 100)
    with _folder(arguments.keep) as folder:
        reached = [_row(shape, folder / shape.name) for shape in chosen]
    tried = [each for each in reached if each is not None]
    print("─" * 100)
    missing = f", {len(chosen) - len(tried)} not tried" if len(tried) < len(chosen) else ""
    print(f"{sum(tried)} of {len(tried)} shapes reached a verdict{missing}")
    return 0 if all(tried) else 1


def _row(shape: Shape, folder: Path) -> bool | None:
    """Try one shape and print its row; return whether it reached a verdict, None if it can't be tried here."""
    absent = lacks(shape)
    if absent is not None:
        print(f"{shape.name:<20} not tried: {absent}", flush=True)
        return None
    folder.mkdir(parents=True)
    try:
        outcome = attempt(shape, folder)
    except Stuck as stuck:  # before Nocturne came
        outcome = Outcome(shape, None, f"by itself: {stuck}", 0.0)
    told = shape.wrote or ["nothing"]
    print(
        f"{shape.name:<20} {outcome.verdict or 'NO VERDICT':<14} {outcome.seconds:7.1f}  {told[0]}",
        flush=True,
    )
    for line in told[1:]:
        print(f"{'':<44}{line}")
    if outcome.verdict is None:
        print(f"{'':<20} {outcome.said}", flush=True)
    return outcome.verdict is not None


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="nocturne-bench-", ignore_cleanup_errors=True) as scratch:
        yield Path(scratch)


if __name__ == "__main__":
    sys.exit(main())
