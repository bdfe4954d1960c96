"""What can be gained in a campaign, and where it lies: against what its mind believes, with it, or either.

A landscape has the constants of an autoresearch-like script and a stock of edits. Each useful constant has a best place
one or two bold steps away, a gain there, and a loss the other way; a few are of no use and only cost. The largest gain
belongs to one of the three constants that the campaign's mind turns first. Which way a constant's best place lies is
what a regime is about: `wall` is the share of the useful ones that lie against the mind's belief. Edits, which no
search over constants can make, have effects fitted to recorded campaigns (`bot.rules.simulated.effects`).

`curved`: slopes are straight away from the best, the best of one constant moves with another's square, and axes are
turned; the offline search believes in parabolas. Gains are in bits per byte, lower is better, and the start is at 0.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bot.agents.offline.knobs import Knob, knobs_of
from bot.rules.simulated.effects import RECORDED
from tests.benchmarks.search.landscapes import Dimension, Landscape, of_knob
from tests.benchmarks.truth.effects import Proposals
from tests.benchmarks.truth.rows import TYPICAL

LONGEST = 300
"""Experiments of the longest campaign."""
TUNING, PRIOR, FINAL = 0, 500_000, 2_000_000
"""Where seeds begin: those that mechanisms may be tuned on, those that a prior is learned from, and those of the last
table, which nothing is tuned on and which were not looked at before it (a table of a million on was looked at once)."""
PATH = "train.py"
_EDITS = 4 * LONGEST
_USEFUL = 0.6  # of the constants
_GAIN, _SPREAD = 2.5, 0.9  # typical effects at the best place, and the spread of their logarithm
_LOSS = 2.0  # typical effects that a bold step costs of a constant that is of no use
_RUNS = 8  # of a candidate whose noise is drawn in advance
_NAMES = """
TOTAL_BATCH_SIZE = 2**19
EMBEDDING_LR = 0.6
UNEMBEDDING_LR = 0.004
MATRIX_LR = 0.04
SCALAR_LR = 0.5
WEIGHT_DECAY = 0.2
ADAM_BETA2 = 0.95
WARMUP_RATIO = 0.1
WARMDOWN_RATIO = 0.5
FINAL_LR_FRAC = 0.1
WINDOW = 1024
DEPTH = 8
MLP_RATIO = 4.0
SOFTCAP = 15.0
"""
SOURCE = f"{_NAMES}\ndef main():\n    return ({', '.join(line.split()[0] for line in _NAMES.split(chr(10)) if line)})\n"


@dataclass(frozen=True)
class Regime:
    """A row of the table: the kind of mind, the share of gains against it, the noise of one run in typical effects,
    whether it is curved, and whether the second model at hand is of another kind."""

    mind: str
    wall: float
    noise: float
    curved: bool = False
    other: str = ""

    @property
    def name(self) -> str:
        """What the table calls it."""
        wall = {0.0: "no wall", 0.5: "half", 1.0: "walled"}[self.wall]
        return f"{self.mind}, {wall}, {self.noise:g}" + (", curved" if self.curved else "") + (
            f", beside {self.other}" if self.other else ""
        )  # fmt: skip


REGIMES = (
    Regime("fixated", 0.0, 0.5),
    Regime("fixated", 0.5, 1.0),
    Regime("fixated", 1.0, 0.05),
    Regime("fixated", 1.0, 0.5, other="diverse"),
    Regime("fixated", 1.0, 1.0, curved=True),
    Regime("usual", 0.0, 1.0),
    Regime("usual", 0.5, 0.25),
    Regime("usual", 1.0, 0.5),
    Regime("usual", 0.5, 0.5, curved=True),
    Regime("diverse", 0.0, 0.25, curved=True),
    Regime("diverse", 0.5, 2.0),
    Regime("diverse", 1.0, 0.5),
)
ELSEWHERE = (
    Regime("fixated", 0.5, 0.25),
    Regime("fixated", 1.0, 0.25, curved=True),
    Regime("usual", 0.0, 0.5),
    Regime("usual", 1.0, 1.0),
    Regime("diverse", 0.5, 0.5),
    Regime("diverse", 0.0, 1.0),
)
"""Regimes that are not in the table: a prior is learned here."""


@lru_cache(maxsize=1)
def knobs() -> Mapping[str, Knob]:
    """Return the constants of the script as the product sees them, by name."""
    return {knob.name: knob for knob in knobs_of({PATH: SOURCE})}


@lru_cache(maxsize=1)
def dimensions() -> tuple[Dimension, ...]:
    """Return the settings of the script."""
    return tuple(of_knob(knob) for knob in knobs().values())


def tidied(name: str, place: float, here: float) -> float:
    """Return where a constant comes to stand if it is set to a tidy value near `place`, and not to the one `here`."""
    for wanted in (place, here + (1.0 if place >= here else -1.0), here + (1.0 if place < here else -1.0)):
        found = _stands(name, round(wanted, 2))
        if abs(found - here) > 1e-6:
            return found
    return here


@lru_cache(maxsize=100_000)
def _stands(name: str, place: float) -> float:
    dimension = next(each for each in dimensions() if each.name == name)
    return dimension.place(dimension.literal(place))


@dataclass(frozen=True)
class Ground:
    """One campaign's truth. `edits` are the effects of the first, second, ... edit that is tried, in bits per byte,
    `breaks` whether it crashes. `noise` (experiments + 1, runs; row 0 is the baseline's) and `control` are standard
    normal. `best` is the score with every constant at its best."""

    landscape: Landscape
    edits: np.ndarray
    breaks: np.ndarray
    noise: np.ndarray
    control: np.ndarray
    best: float


def ground(regime: Regime, seed: int, favourites: Mapping[str, int]) -> Ground:
    """Draw a campaign's truth. `favourites` are the constants that its mind turns first, each with the direction, +1 or
    -1, that it believes in."""
    rng = random.Random(f"outer/{regime.name}/{seed}")
    sigma = regime.noise * TYPICAL
    height, best = _height(regime, rng, favourites)
    drawn = Proposals.draw(RECORDED, _EDITS, 0.8, np.random.default_rng((seed, 7)))
    noise = np.random.default_rng((seed, 8))
    starts = {each.name: each.start for each in dimensions()}
    return Ground(
        Landscape(SOURCE, PATH, dimensions(), height, sigma, starts),
        drawn.effects,
        drawn.crashes,
        noise.standard_normal((LONGEST + 1, _RUNS)),
        noise.standard_normal(8 * LONGEST),
        best,
    )


Height = Callable[[Mapping[str, float], Mapping[str, str]], float | None]


def _height(regime: Regime, rng: random.Random, favourites: Mapping[str, int]) -> tuple[Height, float]:
    """Return the true score of all settings, and the best of it."""
    by_name = {each.name: each for each in dimensions()}
    names = list(by_name)
    first = rng.choice([name for name in favourites if name in by_name][:3])
    useful = [first, *rng.sample([name for name in names if name != first], round(_USEFUL * len(names)) - 1)]
    gains = sorted((TYPICAL * _GAIN * math.exp(_SPREAD * rng.gauss(0, 1)) for _ in useful), reverse=True)
    against = [True] * round(regime.wall * len(useful)) + [False] * len(useful)
    against = against[: len(useful)]
    rng.shuffle(against)
    best: dict[str, float] = {}
    gain: dict[str, float] = {}
    for name, size, is_against in zip(useful, gains, against, strict=True):
        way = favourites.get(name, rng.choice((-1, 1))) * (-1 if is_against else 1)
        best[name], gain[name] = _place(by_name[name], way * rng.uniform(0.6, 1.9)), size
    cost = {name: TYPICAL * _LOSS * math.exp(_SPREAD * rng.gauss(0, 1)) for name in names if name not in best}
    crash = {name: max(1.6, best.get(name, 0.0) + 0.4) for name in rng.sample(names, 2)}
    bends = [
        (one, two, rng.choice((-1, 1)) * rng.uniform(0.2, 0.5))
        for one, two in zip(useful[::2], useful[1::2], strict=False)
    ]
    twist = [
        (one, two, rng.choice((-1, 1)) * 0.5 * math.sqrt(gain[one] * gain[two])) for one, two in [useful[:2]]
    ]

    def away(places: Mapping[str, float]) -> dict[str, float]:
        found = {name: places[name] / best[name] - 1 for name in useful}  # -1 at the start, 0 at the best
        if regime.curved:
            for one, two, bend in bends:
                found[two] += bend * ((found[one]) ** 2 - 1)  # nothing at the start
        return found

    def height(places: Mapping[str, float], _: Mapping[str, str]) -> float | None:
        if any(places[name] > most for name, most in crash.items()):
            return None
        off = away(places)
        total = sum(each * places[name] ** 2 for name, each in cost.items())
        for name in useful:
            z = off[name]
            total += (
                gain[name] * ((math.sqrt(1 + z * z) - 1) / (math.sqrt(2) - 1) if regime.curved else z * z)
                - gain[name]
            )
        for one, two, size in twist:
            total += size * (off[one] * off[two] - 1) * (places[one] != 0) * (places[two] != 0)
        return total

    return height, -sum(gain.values())


def _place(dimension: Dimension, wanted: float) -> float:
    """Return a place near `wanted`, on its side of the start, that a literal has."""
    for share in (1.0, 1.3, 1.7, 0.7, 0.5):
        found = dimension.place(dimension.literal(share * wanted))
        if found * wanted > 0 and abs(found) > 0.3:
            return found
    return wanted
