"""Synthetic campaigns for searches: scripts with settings, and a score for every setting of them.

Five families. `own` and `uniform` are sums of parabolas over the constants of an autoresearch-like script, in the
search's own coordinates; what matters is drawn by what the names promise, or blindly. `curved` are bent, turned
valleys with flat slopes over the options of an argparse script. `conditional` has choices that decide which numbers
count and where their best is. `noisy` are uniform ones whose measured effects deviate five times as much.

Lower is better, and the best score that a landscape has is 0.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bot.agents.constants import literal_value
from bot.agents.offline.knobs import Knob, knobs_of
from bot.agents.offline.steps import coordinate, literal, value_at

FAMILIES = ("own", "uniform", "curved", "conditional", "noisy")
SIGMA = 0.001
REACH = 2.0
"""Every best place lies within so many units of the start; a library is told the range, our search is not."""

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
CURVED_SOURCE = """
import argparse
p = argparse.ArgumentParser()
p.add_argument("--lr", type=float, default=0.003)
p.add_argument("--momentum", type=float, default=0.9)
p.add_argument("--weight-decay", type=float, default=0.01)
p.add_argument("--batch", type=int, default=128)
p.add_argument("--width", type=int, default=240)
p.add_argument("--layers", type=int, default=6)
p.add_argument("--dropout", type=float, default=0.2)
p.add_argument("--warmup", type=int, default=400)
p.add_argument("--gamma", type=float, default=0.7)
p.add_argument("--noise-scale", type=float, default=1.5)
use(**vars(p.parse_args()))
"""
CONDITIONAL_SOURCE = """
from dataclasses import dataclass

@dataclass
class Config:
    optimizer: str = "adamw"  # adamw, muon, sgd
    schedule: str = "cosine"  # cosine, linear, constant
    gated: bool = False
    lr: float = 0.002
    momentum: float = 0.9
    beta2: float = 0.98
    weight_decay: float = 0.1
    warmup_ratio: float = 0.1
    final_lr_frac: float = 0.3
    gate_init: float = 0.5
    hidden_size: int = 384
    batch_size: int = 64

use(**vars(Config()))
"""


@dataclass(frozen=True)
class Dimension:
    """One setting: `places` from `low` to `high` as a library is told them, or `choices` as literals."""

    name: str
    start: str
    low: float = -REACH
    high: float = REACH
    write: Callable[[float], str] | None = None
    read: Callable[[str], float] | None = None
    choices: tuple[str, ...] = ()

    def literal(self, place: float) -> str:
        """Return how the value at `place` is written (a choice: at its index)."""
        if self.choices:
            return self.choices[min(len(self.choices) - 1, max(0, round(place)))]
        assert self.write is not None
        return self.write(min(self.high, max(self.low, place)))

    def place(self, text: str) -> float:
        """Return where a literal stands, in units from the start (a choice: its index)."""
        if self.choices:
            return float(self.choices.index(text))
        assert self.read is not None
        return self.read(text)


@dataclass(frozen=True)
class Landscape:
    """A script, what may be set in it, the true score of every setting, and the deviation of measured effects."""

    source: str
    path: str
    dimensions: tuple[Dimension, ...]
    height: Callable[[Mapping[str, float], Mapping[str, str]], float | None]
    sigma: float = SIGMA
    starts: Mapping[str, str] = field(default_factory=dict)

    def score(self, literals: Mapping[str, str]) -> float | None:
        """Return the true score of the settings in `literals`, by name; None if that crashes."""
        places = {each.name: each.place(literals[each.name]) for each in self.dimensions if not each.choices}
        return self.height(places, {each.name: literals[each.name] for each in self.dimensions})


def landscape(family: str, seed: str) -> Landscape:
    """Return the landscape of `family` that `seed` draws. Raises `KeyError` for an unknown family."""
    rng = random.Random(f"{family}/{seed}")
    made: dict[str, Callable[[random.Random], Landscape]] = {
        "own": lambda r: _parabolas(r, typical=True),
        "uniform": lambda r: _parabolas(r, typical=False),
        "curved": _curved,
        "conditional": _conditional,
        "noisy": lambda r: _parabolas(r, typical=False, sigma=5 * SIGMA),
    }
    return made[family](rng)


# -- sums of parabolas in the search's own coordinates ------------------------------------------------------


def _parabolas(rng: random.Random, *, typical: bool, sigma: float = SIGMA) -> Landscape:
    """Three or four constants matter, their best one to two bold steps away, 0.004 to 0.012 a bold step squared;
    two of them interact, and some regions crash."""
    knobs = {knob.name: knob for knob in knobs_of({"train.py": SOURCE})}
    names = sorted(knobs)
    chosen: list[str] = []
    count = rng.choice((3, 4))
    while len(chosen) < count:
        weights = [knobs[name].weight if typical else 1.0 for name in names]
        name = rng.choices(names, weights)[0]
        chosen += [name] if name not in chosen else []
    best, bowl = {}, {}
    for name in names:
        strong = name in chosen
        best[name] = rng.choice((-1, 1)) * (rng.uniform(0.7, 1.8) if strong else rng.uniform(0, 0.5))
        bowl[name] = rng.uniform(0.004, 0.012) if strong else rng.uniform(0.0, 0.0008)
    crash = {name: max(1.5, best[name] + 0.3) for name in rng.sample(names, 2)}
    one, two = chosen[:2]
    twist = rng.choice((-1, 1)) * 0.8 * math.sqrt(bowl[one] * bowl[two])

    def height(places: Mapping[str, float], _: Mapping[str, str]) -> float | None:
        if any(places[name] > crash.get(name, math.inf) for name in names):
            return None
        away = {name: places[name] - best[name] for name in names}
        return sum(bowl[name] * away[name] ** 2 for name in names) + twist * away[one] * away[two]

    return _landscape(SOURCE, "train.py", [of_knob(knobs[name]) for name in names], height, sigma)


def of_knob(knob: Knob) -> Dimension:
    here = coordinate(knob, knob.constant.value)

    def write(place: float) -> str:
        for share in (1.0, 0.8, 0.6, 0.4, 0.2):
            value = value_at(knob, here + share * place)
            if value is not None:
                return literal(knob, value)
        return knob.constant.literal

    def read(text: str) -> float:
        value = literal_value(text)
        assert value is not None
        return coordinate(knob, value) - here

    return Dimension(knob.name, knob.constant.literal, write=write, read=read)


# -- bent valleys over the options of another script --------------------------------------------------------


def _factor(name: str, start: float, *, whole: bool = False, base: float = 2.0) -> Dimension:
    """Return a setting that is turned by factors: a unit multiplies by `base`."""

    def write(place: float) -> str:
        value = start * base**place
        return str(max(1, round(value))) if whole else repr(float(f"{value:.4g}"))

    def read(text: str) -> float:
        return math.log(max(1e-12, float(text)) / start, base)

    return Dimension(name, str(int(start)) if whole else repr(start), write=write, read=read)


def _share(name: str, start: float, unit: float, low: float = 0.0, high: float = 0.999) -> Dimension:
    """Return a setting that is turned by sums: a unit adds `unit`, from `low` to `high`."""

    def write(place: float) -> str:
        return repr(round(min(high, max(low, start + unit * place)), 4))

    def read(text: str) -> float:
        return (float(text) - start) / unit

    lowest, highest = max(-REACH, (low - start) / unit), min(REACH, (high - start) / unit)
    return Dimension(name, repr(start), lowest, highest, write, read)


def _curved(rng: random.Random) -> Landscape:
    """Four to six options matter, in directions of their own: the axes are turned against the options, one bends
    with another as in a banana, and far from the best the slopes are straight."""
    dimensions = [
        _factor("--lr", 0.003), _share("--momentum", 0.9, 0.08), _factor("--weight-decay", 0.01, base=3.0),
        _factor("--batch", 128, whole=True), _factor("--width", 240, whole=True, base=1.5),
        _factor("--layers", 6, whole=True, base=1.4), _share("--dropout", 0.2, 0.1),
        _factor("--warmup", 400, whole=True), _share("--gamma", 0.7, 0.12), _factor("--noise-scale", 1.5),
    ]  # fmt: skip
    strong = rng.sample(range(len(dimensions)), rng.choice((4, 5, 6)))
    best = _bests(rng, [dimensions[place] for place in strong])
    turn = _rotation(rng, len(strong), 0.6)
    sizes = np.array([10 ** rng.uniform(-1, 0) for _ in strong])
    bend = rng.choice((-1, 1)) * rng.uniform(0.2, 0.5)
    weak = {each.name: (rng.uniform(-0.5, 0.5), rng.uniform(0.0, 0.02)) for each in dimensions}
    names = [dimensions[place].name for place in strong]

    def height(places: Mapping[str, float], _: Mapping[str, str]) -> float | None:
        away = turn @ np.array([places[name] - spot for name, spot in zip(names, best, strict=True)])
        away[1] += bend * away[0] ** 2
        slopes = float(np.sum(sizes * 2 * (np.sqrt(1 + away * away) - 1)))
        rest = sum(
            size * (places[name] - spot) ** 2 for name, (spot, size) in weak.items() if name not in names
        )
        return slopes + rest

    scale = rng.uniform(0.02, 0.05)
    return _landscape(CURVED_SOURCE, "train.py", dimensions, height, SIGMA, scale)


def _bests(rng: random.Random, dimensions: Sequence[Dimension]) -> NDArray[np.float64]:
    """Return a best place for each dimension, half a unit to nearly two units away and within its range."""
    found = []
    for each in dimensions:
        sides = [side for side in (-1, 1) if (each.high if side > 0 else -each.low) >= 0.7]
        side = rng.choice(sides)
        most = min(1.8, (each.high if side > 0 else -each.low) - 0.1)
        found.append(side * rng.uniform(0.5, most))
    return np.array(found)


def _rotation(rng: random.Random, size: int, amount: float) -> NDArray[np.float64]:
    """Return an orthogonal matrix (size, size) of random turns in pairs of axes, each by about `amount` radians."""
    turned = np.eye(size)
    for one in range(size):
        for two in range(one + 1, size):
            angle = rng.gauss(0, amount)
            step = np.eye(size)
            step[one, one] = step[two, two] = math.cos(angle)
            step[one, two], step[two, one] = -math.sin(angle), math.sin(angle)
            turned = step @ turned
    return turned


# -- choices that decide what counts ----------------------------------------------------------------------


def _conditional(rng: random.Random) -> Landscape:
    """Two choices and a switch decide which numbers count and where the best of the common ones is."""
    dimensions = [
        Dimension("Config.optimizer", '"adamw"', choices=('"adamw"', '"muon"', '"sgd"')),
        Dimension("Config.schedule", '"cosine"', choices=('"cosine"', '"linear"', '"constant"')),
        Dimension("Config.gated", "False", choices=("False", "True")),
        _factor("Config.lr", 0.002), _share("Config.momentum", 0.9, 0.08), _share("Config.beta2", 0.98, 0.01),
        _factor("Config.weight_decay", 0.1), _share("Config.warmup_ratio", 0.1, 0.08),
        _share("Config.final_lr_frac", 0.3, 0.15), _factor("Config.gate_init", 0.5),
        _factor("Config.hidden_size", 384, whole=True, base=1.4), _factor("Config.batch_size", 64, whole=True),
    ]  # fmt: skip
    by_name = {each.name: each for each in dimensions}
    offset = {each.name: _offsets(rng, each.choices) for each in dimensions if each.choices}
    common = ["Config.lr", "Config.weight_decay", "Config.hidden_size", "Config.batch_size"]
    under = {
        '"adamw"': ["Config.beta2"], '"muon"': ["Config.momentum", "Config.beta2"], '"sgd"': ["Config.momentum"],
        '"cosine"': ["Config.warmup_ratio", "Config.final_lr_frac"], '"linear"': ["Config.warmup_ratio"],
        '"constant"': [], "True": ["Config.gate_init"], "False": [],
    }  # fmt: skip
    best: dict[tuple[str, str], tuple[float, float]] = {}
    for optimizer in by_name["Config.optimizer"].choices:
        # The common ones have a best of their own under each optimizer.
        for name in common:
            best[optimizer, name] = (float(_bests(rng, [by_name[name]])[0]), 10 ** rng.uniform(-1, 0))
    for choice, names in under.items():
        for name in names:
            best[choice, name] = (float(_bests(rng, [by_name[name]])[0]), 10 ** rng.uniform(-1, 0))

    def height(places: Mapping[str, float], literals: Mapping[str, str]) -> float | None:
        total = 0.0
        for name, costs in offset.items():
            total += costs[literals[name]]
            counting = [*under[literals[name]], *(common if name == "Config.optimizer" else [])]
            for each in counting:
                spot, size = best[literals[name], each]
                total += size * (places[each] - spot) ** 2
        return total

    scale = rng.uniform(0.02, 0.05)
    return _landscape(CONDITIONAL_SOURCE, "train.py", dimensions, height, SIGMA, scale)


def _offsets(rng: random.Random, choices: Sequence[str]) -> dict[str, float]:
    """Return what each choice costs by itself: nothing for one of them."""
    best = rng.choice(choices)
    return {choice: 0.0 if choice == best else rng.uniform(0.3, 1.5) for choice in choices}


def _landscape(
    source: str,
    path: str,
    dimensions: Sequence[Dimension],
    height: Callable[[Mapping[str, float], Mapping[str, str]], float | None],
    sigma: float,
    scale: float | None = None,
) -> Landscape:
    """Return a landscape; with `scale` its heights are multiplied so that the start is `scale` above the best."""
    starts = {each.name: each.start for each in dimensions}
    made = Landscape(source, path, tuple(dimensions), height, sigma, starts)
    if scale is None:
        return made
    first = made.score(starts)
    assert first is not None and first > 0
    factor = scale / first

    def scaled(places: Mapping[str, float], literals: Mapping[str, str]) -> float | None:
        found = height(places, literals)
        return None if found is None else factor * found

    return Landscape(source, path, tuple(dimensions), scaled, sigma, starts)
