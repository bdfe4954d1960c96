"""Campaigns that may have made a record: drawn from what its gains leave open, by a random walk (Metropolis 1953).

What proposals do is described by a few numbers (`bot.rules.simulated.effects`). Before any experiment they are
those of 14 recorded campaigns, as far as other tasks and minds may lie from them; each experiment with a score narrows
them. So few experiments leave much open, and what is simulated from them varies as much.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from statistics import NormalDist, median

from bot.rules.simulated.effects import AGREEMENTS, RECORDED, Effects
from bot.rules.simulated.ground import Ground
from bot.rules.simulated.known import Known

_NODES = 10
_BURNT, _APART = 150, 25  # steps of the walk before the first draw, and between two
_STEP = 0.35
_WIDTH = 0.15  # of an effect: the width of a node
_FLOOR = 1e-3  # of the density at the middle: what no gain is less likely than
_MOST = 0.95  # share of useful and harmful proposals together
_FEW_PAIRS = 5
_SPREADS: Mapping[str, float] = {
    "useful": 0.6, "harmful": 0.4, "useful_median": 0.5, "useful_spread": 0.2, "harmful_median": 0.7,
    "harmful_spread": 0.25, "idle_spread": 0.8, "fatigue": 0.7, "sigma": 0.0,
}  # fmt: skip
"""How far the logarithm of each may lie from the recorded campaigns'; the sizes of useful and idle effects by how many
of the harmful ones' they are, and these by the typical gain at hand. The noise is as uncertain as it is known."""
Point = dict[str, float]


def draws(known: Known, count: int, seed: int) -> list[Ground]:
    """Return `count` campaigns that may have made what is `known`, the same ones for the same seed."""
    rng = random.Random(f"{seed}/fit")
    spreads = dict(_SPREADS) | {"sigma": known.spread if known.sigma else 0.0}
    point: Point = dict.fromkeys(spreads, 0.0)
    density = _Density(known)
    at = density.of(point, spreads)
    found: list[Ground] = []
    for step in range(_BURNT + _APART * count):
        names = rng.sample([name for name, spread in spreads.items() if spread], 2)
        moved = point | {name: point[name] + _STEP * rng.gauss(0, 1) for name in names}
        value = density.of(moved, spreads)
        if math.log(rng.random() or 1e-300) < value - at:
            point, at = moved, value
        if step >= _BURNT and (step - _BURNT) % _APART == 0:
            found.append(density.ground(point, spreads, _agreement(known, rng)))
    return found[:count]


class _Density:
    """How likely the seen gains are; a point counts spreads from the middle of what is thought before."""

    def __init__(self, known: Known) -> None:
        self.known = known
        sizes = [abs(each.gain) for each in known.seen if each.gain]
        self.size = median(sizes) if sizes else RECORDED.harmful_median
        self.nodes = [NormalDist().inv_cdf((i + 0.5) / _NODES) for i in range(_NODES)]

    def ground(self, point: Point, spreads: Mapping[str, float], agreement: float) -> Ground:
        known = self.known

        def factor(name: str) -> float:
            return math.exp(point[name] * spreads[name])

        harm, sigma = self.size * factor("harmful_median"), known.sigma * factor("sigma")
        effects = Effects(
            useful=RECORDED.useful * factor("useful"),
            harmful=RECORDED.harmful * factor("harmful"),
            useful_median=harm * RECORDED.useful_median / RECORDED.harmful_median * factor("useful_median"),
            useful_spread=RECORDED.useful_spread * factor("useful_spread"),
            harmful_median=harm,
            harmful_spread=RECORDED.harmful_spread * factor("harmful_spread"),
            idle_spread=harm * RECORDED.idle_spread / RECORDED.harmful_median * factor("idle_spread"),
            fatigue=RECORDED.fatigue * factor("fatigue"),
            crashes=known.crashes,
            shorter=known.shorter,
        )
        return Ground(
            effects, sigma, known.first, sigma * math.sqrt(known.drift), known.short_cost, known.crash_cost,
            agreement, known.maximize,
        )  # fmt: skip

    def of(self, point: Point, spreads: Mapping[str, float]) -> float:
        """Return the logarithm of the density of a point, up to a constant."""
        ground = self.ground(point, spreads, 0.8)
        effects = ground.effects
        if effects.useful + effects.harmful > _MOST:
            return -math.inf
        kinds = (
            [effects.useful_median * math.exp(effects.useful_spread * z) for z in self.nodes],
            [-effects.harmful_median * math.exp(effects.harmful_spread * z) for z in self.nodes],
            [effects.idle_spread * z for z in self.nodes],
        )
        log = -0.5 * sum(value * value for value in point.values())
        for seen in self.known.seen:
            gain, error = seen.gain + self.known.luck * ground.sigma, seen.error * ground.sigma
            useful = effects.useful_at(seen.place)
            parts = (useful, effects.harmful, 1 - useful - effects.harmful)
            likely = sum(
                part * _mean_density(gain, nodes, error, self.size)
                for part, nodes in zip(parts, kinds, strict=True)
            )
            log += math.log(likely + _FLOOR / self.size)
        return log


def _mean_density(gain: float, nodes: Sequence[float], error: float, size: float) -> float:
    """Return the density of a gain that has this error if its true size is one of the nodes, each alike."""
    total = 0.0
    for node in nodes:
        width = math.hypot(error, _WIDTH * node, 1e-3 * size)
        off = (gain - node) / width
        if abs(off) < 6:
            total += math.exp(-0.5 * off * off) / width
    return total / len(nodes) / math.sqrt(2 * math.pi)


def _agreement(known: Known, rng: random.Random) -> float:
    """Draw how short runs agree with whole ones, by the pairs at hand; noise in them makes it look lower."""
    scores, copulas = AGREEMENTS
    if len(known.pairs) < _FEW_PAIRS:
        return rng.uniform(scores[0], scores[-1])
    shorts = sorted(each.gain for each in known.seen)
    ranks = [(_normal(short, shorts), _normal(whole, shorts)) for short, whole in known.pairs]
    logs = [
        sum(-0.5 * math.log(1 - c * c) - (y - c * x) ** 2 / (2 * (1 - c * c)) for x, y in ranks)
        for c in copulas
    ]
    weights = [math.exp(log - max(logs)) for log in logs]
    return rng.choices(scores, weights)[0]


def _normal(gain: float, among: Sequence[float]) -> float:
    """Return the standard normal value of a gain's rank among others."""
    below = sum(other < gain for other in among) + 0.5 * sum(other == gain for other in among)
    return NormalDist().inv_cdf((below + 0.5) / (len(among) + 1))
