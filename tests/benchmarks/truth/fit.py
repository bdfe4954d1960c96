"""Fit the effects of proposals to recorded campaigns: `python -m tests.benchmarks.truth.fit --traces DIR`.

Read are `*.tsv` in the columns of autoresearch's `results.tsv` and `bilevel_*.json`. What is fitted is how far each
score lies from the best one before it, by maximum likelihood: effect + noise + what luck gave the best one. Each
campaign's noise is that of identical proposals on the same card. The first proposals of a campaign find what is wrong
with the defaults of another card: they are no typical ones, and neither are effects beyond `LARGEST`.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import asdict, replace
from pathlib import Path
from statistics import NormalDist

import numpy as np

from bot.rules.simulated.effects import Effects
from tests.benchmarks.truth.effects import Numbers

FIRST = 5
LARGEST = 0.02
SIGMAS = {"unified_pubmed_5090": 0.0002, "unified_pubmed_5070ti": 0.003, "bilevel": 0.001, "karpathy": 0.0004}
"""Deviation of one run, by the beginning of a file's name: of proposals that were repeated there."""
OTHER_SIGMA = 0.001
LUCK = 0.7  # of the noise: what the best score so far owes to it
NODES = 40
START = Effects(0.14, 0.45, 0.0007, 1.5, 0.002, 1.2, 0.0001, 120.0)
"""Where the descent begins. The typical size of a useful effect, the spread of idle ones and the fatigue are given and
not fitted: in these records they can't be told from noise."""
Trace = list[float | None]


def read(folder: Path) -> list[tuple[float, Trace]]:
    """Return the campaigns in `folder`: the noise of one run, and the score (None: it crashed) of each experiment."""
    traces = []
    for path in sorted([*folder.glob("*.tsv"), *folder.glob("bilevel_*.json")]):
        sigma = next((s for begin, s in SIGMAS.items() if path.name.startswith(begin)), OTHER_SIGMA)
        traces.append((sigma, _tsv(path) if path.suffix == ".tsv" else _json(path)))
    return traces


def _tsv(path: Path) -> Trace:
    with path.open() as file:
        return [_score(row["val_bpb"], row["status"]) for row in csv.DictReader(file, delimiter="\t")]


def _json(path: Path) -> Trace:
    return [_score(step["bpb"], step["status"]) for step in json.loads(path.read_text())["trace"]]


def _score(score: str | float | None, status: str) -> float | None:
    value = float(score or 0)
    return None if status == "crash" or value <= 0 else value


def deltas(trace: Trace) -> list[tuple[int, float]]:
    """Return the place of each experiment that has a score, and how far that is from the best one before it."""
    found: list[tuple[int, float]] = []
    best: float | None = None
    for place, score in enumerate(trace):
        if score is None:
            continue
        if best is not None and place > FIRST:
            found.append((place, score - best))
        best = score if best is None else min(best, score)
    return found


def fit(traces: list[tuple[float, Trace]], steps: int = 3000) -> Effects:
    """Return the likeliest effects; a random descent in the logarithms of what is fitted."""
    rows = [
        (place, delta, sigma)
        for sigma, trace in traces
        for place, delta in deltas(trace)
        if -LARGEST < delta < LARGEST
    ]
    data = np.array(rows)
    names = ["useful", "harmful", "useful_spread", "harmful_median", "harmful_spread"]
    rng, best, at = np.random.default_rng(1), START, _likelihood(START, data)
    for step in range(steps):
        size = 0.3 if step < steps / 2 else 0.05
        moved = {
            n: getattr(best, n) * float(np.exp(size * rng.standard_normal()))
            for n in rng.choice(names, 2, replace=False)
        }
        tried = replace(best, **moved)
        if tried.useful + tried.harmful > 0.9:
            continue
        value = _likelihood(tried, data)
        if value > at:
            best, at = tried, value
    return best


def _likelihood(effects: Effects, data: Numbers) -> float:
    """Return the log likelihood of rows (place, delta, sigma)."""
    places, delta, sigma = data.T
    middles = [NormalDist().inv_cdf((i + 0.5) / NODES) for i in range(NODES)]
    z = np.array(middles)
    share = effects.useful / (1 + places / effects.fatigue) ** 2
    shift = delta - LUCK * sigma

    def density(nodes: Numbers) -> Numbers:
        width = np.hypot(sigma[:, None], 0.1 * np.abs(nodes))  # between two nodes
        gap = (shift[:, None] - nodes) / width
        mean: Numbers = (np.exp(-0.5 * gap**2) / width).mean(axis=1)
        return mean

    useful = density(-effects.useful_median * np.exp(effects.useful_spread * z))
    harm = density(effects.harmful_median * np.exp(effects.harmful_spread * z))
    idle = density(effects.idle_spread * z)
    total = share * useful + effects.harmful * harm + (1 - share - effects.harmful) * idle
    return float(np.log(total + 1e-3).sum())


def main() -> None:
    """Fit and print the likeliest effects."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=Path, required=True, help="folder with the recorded campaigns")
    for name, value in asdict(fit(read(parser.parse_args().traces))).items():
        print(f"{name:16} {value:.4g}")


if __name__ == "__main__":
    main()
