"""What audits find and how often they refuse who is honest: one alone, before a promotion, and added up over a lineage.

    python -m tests.benchmarks.audits [--seeds 300] [--honest 10000] [--losses FILE]

Losses are drawn at random (exponential, mean 2 nats), or taken from the arrays `targets` and `nats` of an .npz file.
Who peeks does so where the model was most wrong, and comes down to what gives it the most for each chance to be drawn:
the token's frequency, half of that surprise, or nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.rules.audits import LEAST_EFFECT, Audit, allowed_gain, pool
from evaluator.training import audit as single

ROWS, COLUMNS, VOCABULARY, BYTES = 256, 128, 512, 3
SIZES = (512, 1024, 5120, 10_240)
EFFECTS = (0.0005, 0.001, 0.002, 0.004)
Losses = tuple[NDArray[np.int32], NDArray[np.float64]]


def drawn(seed: int = 0) -> Losses:
    """Return targets and honest losses (N,)."""
    draw = np.random.default_rng(seed)
    targets = draw.zipf(1.3, ROWS * COLUMNS) % VOCABULARY
    return targets.astype(np.int32), draw.exponential(2.0, ROWS * COLUMNS)


def peeks(losses: Losses, effect: float) -> Iterator[NDArray[np.float64]]:
    """Yield losses (N,) of exams that gain `effect` bits per byte at as few positions as each way needs."""
    targets, truth = losses
    _, back, often = np.unique(targets, return_inverse=True, return_counts=True)
    surprise = -np.log(often[back] / len(targets))
    for floor in (surprise, 0.5 * surprise, np.full(len(truth), 0.01)):
        gains = np.maximum(truth - floor, 0.0)
        order = np.argsort(-gains)
        least = int(np.searchsorted(gains[order].cumsum() / len(truth) / np.log(2) / BYTES, effect)) + 1
        said = truth.copy()
        said[order[:least]] -= gains[order[:least]]
        yield said


def missed(losses: Losses, said: NDArray[np.float64], size: int, seeds: int) -> float:
    """Return the share of audits of so many probes that let `said` pass."""
    targets, truth = losses
    inputs = targets[: len(targets) // COLUMNS * COLUMNS].reshape(-1, COLUMNS)
    lengths: Any = np.full(len(targets), BYTES, np.int32)
    passed = 0
    audit = single.Audit(
        inputs, targets, lengths, said, min_effect=0.001, draw=np.random.default_rng(size)
    )  # fmt: skip
    for _ in range(seeds):
        places = audit.places(size)
        probes = single.Probes(inputs[:0], places[:0].astype(np.int32), places, places, audit.weights(places))
        passed += audit.holds(audit.judge(probes, truth[places]))
    return passed / seeds


def worst(losses: Losses, effect: float, size: int, seeds: int) -> float:
    return max(missed(losses, said, size, seeds) for said in peeks(losses, effect))


def refused(noise: float, size: int, times: int) -> float:
    """Return the share of honest audits that are refused, whose answers scatter by so many nats."""
    targets, truth = drawn()
    inputs = targets.reshape(-1, COLUMNS)
    lengths: Any = np.full(len(targets), BYTES, np.int32)
    draw = np.random.default_rng(1)
    audit = single.Audit(inputs, targets, lengths, truth, min_effect=0.001, draw=draw)
    count = 0
    for _ in range(times):
        places = audit.places(size)
        probes = single.Probes(inputs[:0], places[:0].astype(np.int32), places, places, audit.weights(places))
        count += not audit.holds(audit.judge(probes, truth[places] + noise * draw.standard_normal(size)))
    return count / times


def lineages(times: int, looks: int, rate: float, noise: float = 2e-5) -> tuple[int, float]:
    """Return how many of so many lineages are refused when looked at after each of `looks` audits of 1,024 probes, and
    after how many audits on the average; at `rate` of the probes they are found to peek, by 0.003 bits each."""
    draw, count, at = np.random.default_rng(2), 0, []
    for _ in range(times):
        found: list[Audit] = []
        for look in range(1, looks + 1):
            far = int(draw.binomial(1024, rate))
            error = (noise**2 + far * 0.0025**2) ** 0.5
            found.append(Audit(1024, 1, far * 0.0025 + noise * draw.standard_normal(), error, far))
            together = pool(found)
            assert together is not None
            if together.shows_more_than(allowed_gain(LEAST_EFFECT)):
                count += 1
                at.append(look)
                break
    return count, float(np.mean(at)) if at else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--honest", type=int, default=10_000)
    parser.add_argument("--losses")
    chosen = parser.parse_args()
    losses = drawn()
    if chosen.losses:
        kept = np.load(chosen.losses)
        losses = (kept["targets"], kept["nats"])
    print(f"let through by one audit, at worst ({chosen.seeds} audits each, {len(losses[0]):,} positions):")
    print("  gained by peeking " + "".join(f"{size:>9,}" for size in SIZES) + "  probes")
    for effect in EFFECTS:
        shares = [worst(losses, effect, size, chosen.seeds) for size in SIZES]
        print(f"  {effect:.4f} bits/byte  " + "".join(f"{share:9.1%}" for share in shares), flush=True)
    print(f"honest models refused ({chosen.honest:,} audits each of 512 probes), by how far answers scatter:")
    for noise in (0.0, 0.0003, 0.0005, 0.001, 0.003):
        print(f"  {noise:.4f} nats  {refused(noise, 512, chosen.honest):9.2%}", flush=True)
    count, _ = lineages(chosen.honest, 20, 0.0)
    print(
        f"honest lineages refused, of {chosen.honest:,} that are looked at after each of 20 audits: {count}"
    )
    for rate in (0.0003, 0.0007, 0.002):
        count, at = lineages(100, 60, rate)
        print(
            f"lineages that peek, seen at {rate:.2%} of the probes: {count} of 100 found, after {at:.0f} audits"
        )


if __name__ == "__main__":
    main()
