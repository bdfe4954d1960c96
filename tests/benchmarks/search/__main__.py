"""The offline search beside blind mutation, Optuna's TPE and cmaes, on synthetic campaigns; no training, no torch.

    make bench-search
    python -m tests.benchmarks.search [--seeds 60] [--experiments 100] [--family curved ...] [--only offline ...]

Prints the share of the possible gain after 12, 30, 60 and 100 experiments with its standard error, and the ratio of
the offline search's to that of the best other in the cell, with a paired interval of 95 % (bootstrap over seeds).
What the libraries reach stays the same and takes long: `--record` (`make bench-search LIBRARIES=1`) runs those that
`libraries.jsonl` beside this file lacks, and keeps them there; without it they are compared as far as they are known.
With `--kept FILE` the other searchers' campaigns are kept too, so that what was cut short goes on.
Seeds are `final/100` and on (those below 100 were looked at while the search was built); to tune, `--purpose tune`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tests.benchmarks.search.landscapes import FAMILIES, landscape
from tests.benchmarks.search.searchers import LIBRARIES, SEARCHERS, campaign

MARKS = (12, 30, 60, 100)
FIRST = 100
RECORD = Path(__file__).with_name("libraries.jsonl")
RIVALS = (*LIBRARIES, "blind")


@dataclass(frozen=True)
class Run:
    """One campaign: the share gained at each mark, what was tried before, what crashed, CPU milliseconds for one."""

    gains: tuple[float, ...]
    repeats: int
    crashes: int
    cost: float


_NONE = Run((), 0, 0, 0.0)


def run(family: str, name: str, experiments: int, seed: str) -> Run:
    """Return one campaign of the searcher `name` on the landscape that `seed` draws, such as `final/7`."""
    began = time.process_time()
    number = int(seed.rpartition("/")[2])
    found = campaign(landscape(family, seed), SEARCHERS[name], experiments=experiments, seed=number)
    cost = 1000 * (time.process_time() - began) / experiments
    marks = tuple(round(found.gains[mark - 1], 4) for mark in MARKS if mark <= experiments)
    return Run(marks, found.repeats, found.crashes, cost)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """Return the ratio of the means of paired shares, and its 95 % interval by bootstrap over the pairs."""
    pairs = np.array([ours, theirs])
    drawn = np.random.default_rng(0).integers(0, pairs.shape[1], (4000, pairs.shape[1]))
    means = pairs[:, drawn].mean(2)
    low, high = np.quantile(means[0] / np.maximum(means[1], 1e-9), (0.025, 0.975))
    return float(pairs[0].mean() / max(pairs[1].mean(), 1e-9)), float(low), float(high)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; exit code 1 if the offline search repeats itself."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=60, metavar="N")
    parser.add_argument("--experiments", type=int, default=100, choices=MARKS)
    parser.add_argument("--family", nargs="+", choices=FAMILIES, default=FAMILIES)
    parser.add_argument("--only", nargs="+", choices=tuple(SEARCHERS), default=("offline", "blind"))
    parser.add_argument("--purpose", default="final", help="which seeds: tune, or final (the default)")
    parser.add_argument("--first", type=int, default=FIRST, metavar="N", help="the first seed's number")
    parser.add_argument(
        "--record", action="store_true", help="run the libraries too and keep what they reach"
    )
    parser.add_argument("--kept", type=Path, metavar="FILE", help="where campaigns of the others are kept")
    args = parser.parse_args(argv)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices are small, and processes many
    seeds = [f"{args.purpose}/{seed}" for seed in range(args.first, args.first + args.seeds)]
    marks = sum(mark <= args.experiments for mark in MARKS)
    known = _read(RECORD) | _read(args.kept)
    print(f"{args.seeds} landscapes of each family, {args.experiments} experiments, from seed {seeds[0]} on")
    repeated = 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for family in args.family:
            shares: dict[str, Sequence[Sequence[float]]] = {}
            for name in (*args.only, *LIBRARIES):
                lacking = [
                    each for each in seeds if len(known.get((family, name, each), _NONE).gains) < marks
                ]
                if lacking and name in LIBRARIES and not args.record:
                    continue
                played = pool.map(partial(run, family, name, args.experiments), lacking)
                for seed, found in zip(lacking, played, strict=True):
                    known[family, name, seed] = found
                    _keep(RECORD if name in LIBRARIES else args.kept, (family, name, seed), found)
                runs = [known[family, name, each] for each in seeds]
                shares[name] = [each.gains[:marks] for each in runs]
                repeated += sum(each.repeats for each in runs) if name == "offline" else 0
                _print_row(family, name, shares[name], runs)
            _print_ratio(family, shares)
    return 1 if repeated else 0


def _read(path: Path | None) -> dict[tuple[str, str, str], Run]:
    """Return the campaigns that a file keeps, by family, searcher and seed."""
    if path is None or not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {tuple(row[:3]): Run(tuple(row[3]), *row[4:]) for row in rows}


def _keep(path: Path | None, key: tuple[str, str, str], found: Run) -> None:
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            row = [*key, found.gains, found.repeats, found.crashes, round(found.cost, 1)]
            file.write(json.dumps(row) + "\n")


def _print_row(family: str, name: str, shares: Sequence[Sequence[float]], runs: Sequence[Run]) -> None:
    columns = zip(*shares, strict=False)
    cells = "  ".join(f"{np.mean(each):.2f} ± {np.std(each) / len(each) ** 0.5:.2f}" for each in columns)
    crashes, cost = np.mean([each.crashes for each in runs]), np.mean([each.cost for each in runs])
    said = f"crashes {crashes:.1f}, repeats {sum(each.repeats for each in runs)}, {cost:.0f} ms of CPU a proposal"
    print(f"{family:12} {name:10} {cells}  {said}", flush=True)


def _print_ratio(family: str, shares: Mapping[str, Sequence[Sequence[float]]]) -> None:
    rivals = [name for name in RIVALS if name in shares]
    if "offline" not in shares or not rivals:
        return
    cells = []
    for place in range(min(len(shares[name][0]) for name in ("offline", *rivals))):
        column = {name: [each[place] for each in rows] for name, rows in shares.items()}
        best = max(rivals, key=lambda name, now=column: float(np.mean(now[name])))  # type: ignore[misc]
        middle, low, high = ratio(column["offline"], column[best])
        cells.append(f"{middle:.2f} [{low:.2f}, {high:.2f}] {best}")
    print(f"{family:12} {'ratio':10} {'  '.join(cells)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
