"""Compare the offline proposer with blind mutation on synthetic landscapes; no training, no torch.

    python -m tests.benchmarks.proposer --experiments 30 --seeds 50

Each landscape is a sum of parabolas in log space over the constants of an autoresearch-like `train.py`.
Three or four constants matter, two of them interact, some regions crash, and every measured effect has
noise. A change lands where its measured effect is below minus two sigma, as both searches are told.
`--matter typical` draws the constants that matter by what their names promise; `uniform` draws them blindly.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.agents.constants import changes_between, constant_values, literal_value, rewrite
from bot.agents.offline.knobs import Knob, knobs_of
from bot.agents.offline.search import propose
from bot.agents.offline.steps import coordinate, literal, value_at
from bot.rules.proposal import PastExperiment, Proposal

SOURCE = """
import math
DEPTH = 8
ASPECT_RATIO = 64
TOTAL_BATCH_SIZE = 2**19
EMBEDDING_LR = 0.6
UNEMBEDDING_LR = 0.004
MATRIX_LR = 0.04
WEIGHT_DECAY = 0.2
BETA2 = 0.95
WARMUP_RATIO = 0.05
WARMDOWN_RATIO = 0.5
GRAD_CLIP = 1.0
INIT_STD = 0.02

def main():
    return (DEPTH, ASPECT_RATIO, TOTAL_BATCH_SIZE, EMBEDDING_LR, UNEMBEDDING_LR, MATRIX_LR, WEIGHT_DECAY,
            BETA2, WARMUP_RATIO, WARMDOWN_RATIO, GRAD_CLIP, INIT_STD)
"""
SIGMA = 0.001

Proposer = Callable[[dict[str, str], Sequence[PastExperiment], int, int], Proposal | None]


@dataclass(frozen=True)
class Landscape:
    """A score (lower is better) as a function of the constants; `crash` gives the highest safe coordinate."""

    knobs: dict[str, Knob]
    best: dict[str, float]
    bowl: dict[str, float]
    pair: tuple[str, str]
    twist: float
    crash: dict[str, float]

    def score(self, source: str) -> float | None:
        """Return the true score of `source`, or None where it crashes."""
        values = constant_values({"train.py": source})
        away: dict[str, float] = {}
        for name, knob in self.knobs.items():
            value = literal_value(values[name])
            if value is None:
                return None
            place = coordinate(knob, value)
            if place > self.crash.get(name, math.inf):
                return None
            away[name] = place - self.best[name]
        bowls = sum(self.bowl[name] * step * step for name, step in away.items())
        return bowls + self.twist * away[self.pair[0]] * away[self.pair[1]]


def landscape(rng: random.Random, matter: str) -> Landscape:
    """Draw a landscape: optima one to two bold steps away, 0.004 to 0.012 a bold step squared."""
    knobs = {knob.name: knob for knob in knobs_of({"train.py": SOURCE})}
    names = sorted(knobs)
    chosen: list[str] = []
    while len(chosen) < rng.choice((3, 4)):
        weights = [knobs[name].weight if matter == "typical" else 1.0 for name in names]
        name = rng.choices(names, weights)[0]
        chosen += [name] if name not in chosen else []
    best, bowl = {}, {}
    for name, knob in knobs.items():
        here = coordinate(knob, knob.constant.value)
        strong = name in chosen
        best[name] = here + rng.choice((-1, 1)) * (rng.uniform(0.7, 2.0) if strong else rng.uniform(0, 0.5))
        bowl[name] = rng.uniform(0.004, 0.012) if strong else rng.uniform(0.0, 0.0008)
    pair = (chosen[0], chosen[1])
    crash = {name: coordinate(knobs[name], knobs[name].constant.value) + 1.5 for name in rng.sample(names, 2)}
    crash = {name: max(place, best[name] + 0.3) for name, place in crash.items()}
    twist = rng.choice((-1, 1)) * 0.8 * math.sqrt(bowl[pair[0]] * bowl[pair[1]])
    return Landscape(knobs, best, bowl, pair, twist, crash)


def blind(
    files: dict[str, str], history: Sequence[PastExperiment], seed: int, number: int
) -> Proposal | None:
    """Propose a random constant at a random value within two bold steps: the yardstick's yardstick."""
    rng = random.Random(f"blind/{seed}/{number}")
    knobs = knobs_of(files)
    for _ in range(200):
        knob = rng.choice(knobs)
        new = _anywhere(knob, rng)
        if new is not None:
            source = rewrite(files["train.py"], {knob.name: new})
            changes = changes_between(files, {"train.py": source})
            if changes:
                return Proposal("blind", knob.category, "", "", "", {"train.py": source}, changes, "blind")
    return None


def _anywhere(knob: Knob, rng: random.Random) -> str | None:
    value = value_at(knob, coordinate(knob, knob.constant.value) + rng.uniform(-2, 2))
    return None if value is None else literal(knob, value)


def campaign(
    ground: Landscape, proposer: Proposer, *, experiments: int, seed: int
) -> tuple[list[float], int, list[PastExperiment]]:
    """Return the share of the possible gain after each experiment, the repeats, and the history."""
    noise = random.Random(f"noise/{seed}")
    files = {"train.py": SOURCE}
    start = ground.score(SOURCE)
    assert start is not None
    history: list[PastExperiment] = []
    gains: list[float] = []
    seen = {tuple(sorted(constant_values(files).items()))}
    repeats = 0
    for number in range(1, experiments + 1):
        proposal = proposer(files, history, seed, number)
        if proposal is None:
            gains += [gains[-1] if gains else 0.0] * (experiments - len(gains))
            break
        before, after = ground.score(files["train.py"]), ground.score(proposal.files["train.py"])
        key = tuple(sorted(constant_values(proposal.files).items()))
        repeats += key in seen
        seen.add(key)
        assert before is not None
        effect = None if after is None else after - before + noise.gauss(0, SIGMA)
        landed = effect is not None and effect < -2 * SIGMA
        verdict = "crashed" if effect is None else "improved" if landed else "discarded"
        values = constant_values(files)
        history.append(
            PastExperiment(
                number, proposal.changes, proposal.hypothesis, proposal.category, verdict, effect,
                None if effect is None else SIGMA, landed, values,
            )
        )  # fmt: skip
        if landed:
            files = dict(proposal.files)
        now = ground.score(files["train.py"])
        assert now is not None
        gains.append((start - now) / start)
    return gains, repeats, history


def offline(
    files: dict[str, str], history: Sequence[PastExperiment], seed: int, number: int
) -> Proposal | None:
    """Propose with the search under test."""
    return propose(files, history, seed=seed, number=number)


def measure(proposer: Proposer, *, experiments: int, seeds: int, matter: str) -> dict[str, float]:
    """Return means over `seeds` landscapes of `matter`: gain at 6, 12, 30, experiments to 80 %, repeats."""
    at: dict[int, list[float]] = {6: [], 12: [], experiments: []}
    reach: list[int] = []
    repeats, reached, crashes = 0, 0, 0
    for seed in range(seeds):
        gains, again, history = campaign(
            landscape(random.Random(f"{matter}/{seed}"), matter), proposer, experiments=experiments, seed=seed
        )
        for place, found in at.items():
            found.append(gains[min(place, len(gains)) - 1])
        first = next((place + 1 for place, gain in enumerate(gains) if gain >= 0.8), None)
        reached += first is not None
        reach.append(first or experiments + 1)
        repeats += again
        crashes += sum(past.verdict == "crashed" for past in history)
    return {
        "gain at 6": statistics.mean(at[6]),
        "gain at 12": statistics.mean(at[12]),
        f"gain at {experiments}": statistics.mean(at[experiments]),
        "to 80 %": statistics.mean(reach),
        "reached": reached / seeds,
        "crashes": crashes / seeds,
        "repeats": float(repeats),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; exit code 1 where the search repeats itself."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--experiments", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--matter", choices=("typical", "uniform", "both"), default="both")
    args = parser.parse_args(argv)
    print(f"{args.seeds} landscapes, {args.experiments} experiments, sigma {SIGMA}; gains as shares")
    print(f"'to 80 %' counts {args.experiments + 1} where it was not reached")
    repeated = 0.0
    for matter in ("typical", "uniform") if args.matter == "both" else (args.matter,):
        for name, proposer in (("blind", blind), ("offline", offline)):
            began = time.perf_counter()
            row = measure(proposer, experiments=args.experiments, seeds=args.seeds, matter=matter)
            each = (time.perf_counter() - began) / (args.seeds * args.experiments)
            cells = "  ".join(f"{key} {value:.2f}" for key, value in row.items())
            print(f"{matter:8} {name:8} {cells}  ms/experiment {1000 * each:.0f}")
            repeated += row["repeats"] if name == "offline" else 0
    return 1 if repeated else 0


if __name__ == "__main__":
    sys.exit(main())
