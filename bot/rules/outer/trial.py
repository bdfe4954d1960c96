"""The trial of mechanisms: blocks of five experiments, allotted at random, and who is out. Pure.

In each round of five blocks one, drawn by the seed, belongs to a control (`registry.CONTROLS` in turn); the others are
allotted by Thompson sampling (W. R. Thompson, 1933; D. Russo et al., A Tutorial on Thompson Sampling, 2018) on what a
block is worth: its gain in deviations of one run for each usual block's GPU time. A campaign of thirty experiments
proves nothing about a mechanism: `blocks_needed` says how many blocks it would take.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from statistics import NormalDist, median

from bot.rules.outer.reading import limited
from bot.rules.outer.registry import CONTROLS

BLOCK = 5  # experiments
ROUND = 5  # blocks, of which one is a control's
DEAD = 3  # blocks of a mechanism that changed no proposal
LEAST = 3  # blocks on each side before a mechanism may retire
RECENT = 8  # blocks of a mechanism that are judged by themselves, too
CONFIDENCE = 0.95  # one-sided, of a mechanism's upper bound
MORNING = 6  # o'clock, UTC
_PRIOR_BLOCKS = 2.0  # that what is thought of an unknown mechanism weighs
_MOST_PRIOR = 20  # blocks that other campaigns' experience weighs at most
_LEAST_SPREAD = 0.5  # of a block's worth, in deviations of one run


@dataclass(frozen=True)
class Block:
    """A finished block: `gain` in deviations of one run, `hours` of GPU time, and how many proposals it changed."""

    mechanism: str
    gain: float
    hours: float
    changed: int = 0


@dataclass(frozen=True)
class Known:
    """What is known of a mechanism from blocks: how many, the sum of their worth, and the sum of its squares."""

    blocks: int = 0
    gain: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float:
        return self.gain / self.blocks if self.blocks else 0.0

    def with_worth(self, worth: float) -> Known:
        return Known(self.blocks + 1, self.gain + worth, self.squares + worth * worth)


@dataclass(frozen=True)
class PriorRow:
    """A line of the file that a user carries from campaign to campaign."""

    mechanism: str
    mind: str
    task: str
    blocks: int
    gain: float
    squares: float

    def __post_init__(self) -> None:
        if self.blocks < 0 or self.squares < 0:
            raise ValueError(f"prior.rows: blocks and squares of {self.mechanism} are below 0")


@dataclass(frozen=True)
class Prior:
    """The file that a user carries along."""

    rows: tuple[PriorRow, ...] = limited(10_000, default=())


def prior_of(prior: Prior, mind: str, task: str) -> dict[str, Known]:
    """Return what other campaigns say of each mechanism: those with this kind of mind and task count whole,
    others half.
    """
    sums: dict[str, list[float]] = {}
    for row in prior.rows:
        weight = 1.0 if (row.mind, row.task) == (mind, task) else 0.5
        found = sums.setdefault(row.mechanism, [0.0, 0.0, 0.0])
        for place, value in enumerate((row.blocks, row.gain, row.squares)):
            found[place] += weight * value
    return {name: _cut(*found) for name, found in sums.items() if found[0] >= 1}


def _cut(blocks: float, gain: float, squares: float) -> Known:
    share = min(1.0, _MOST_PRIOR / blocks)
    return Known(max(1, round(share * blocks)), share * gain, share * squares)


def worths(blocks: Sequence[Block]) -> list[tuple[str, float]]:
    """Return mechanism and worth of each block: its gain for each usual block's GPU time."""
    hours = [block.hours for block in blocks if block.hours > 0]
    usual = median(hours) if hours else 1.0
    # A block that cost next to nothing (all refused) must not look like the best.
    return [(b.mechanism, b.gain / max(0.5, b.hours / usual if b.hours > 0 else 1.0)) for b in blocks]


def known_of(blocks: Sequence[Block], prior: Mapping[str, Known] | None = None) -> dict[str, Known]:
    """Return what is known of each mechanism, the prior included."""
    found = dict(prior or {})
    for name, worth in worths(blocks):
        found[name] = found.get(name, Known()).with_worth(worth)
    return found


def controls_turn(block: int, seed: int) -> bool:
    """Whether a control takes block number `block`, counted from 0."""
    turn, place = divmod(block, ROUND)
    return random.Random(f"trial/{seed}/{turn}").randrange(ROUND) == place


def allot(
    names: Collection[str], blocks: Sequence[Block], block: int, seed: int,
    *, prior: Mapping[str, Known] | None = None, out: Collection[str] = (),
) -> str:  # fmt: skip
    """Return the mechanism that takes block number `block`, counted from 0, after `blocks` have ended.

    `names` are the mechanisms at hand, `out` those that are dead, retired, failed or switched off.
    """
    free = [name for name in names if name not in CONTROLS and name not in out]
    turns = [name for name in CONTROLS if name not in out] or ["none"]
    if not free or controls_turn(block, seed):
        return turns[sum(controls_turn(each, seed) for each in range(block)) % len(turns)]
    rng = random.Random(f"allot/{seed}/{block}")
    known = known_of(blocks, prior)
    spread = _spread(known)
    every = {*free, *known}
    centre = sum(known[name].mean for name in every if name in known) / len(every)

    def drawn(name: str) -> float:
        mine = known.get(name, Known())
        weight = mine.blocks + _PRIOR_BLOCKS
        mean = (mine.gain + _PRIOR_BLOCKS * centre) / weight
        return rng.gauss(mean, spread / math.sqrt(weight))

    return max(free, key=drawn)


def _spread(known: Mapping[str, Known]) -> float:
    """Return the deviation of a block's worth about its mechanism's mean, pooled over all."""
    within = sum(each.squares - each.blocks * each.mean**2 for each in known.values())
    degrees = sum(max(0, each.blocks - 1) for each in known.values())
    return max(_LEAST_SPREAD, math.sqrt(max(0.0, within) / degrees)) if degrees else 1.0


def next_morning(at: datetime) -> str:
    """Return when a mechanism that failed at this time is tried again (ISO 8601): six o'clock, UTC."""
    day = at.astimezone(timezone.utc)
    morning = day.replace(hour=MORNING, minute=0, second=0, microsecond=0)
    return (morning if day < morning else morning + timedelta(days=1)).isoformat()


def dead(blocks: Sequence[Block], name: str) -> bool:
    """Whether a mechanism's last blocks, `DEAD` of them, changed no proposal."""
    mine = [block.changed for block in blocks if block.mechanism == name]
    return name not in CONTROLS and len(mine) >= DEAD and not any(mine[-DEAD:])


def advantage(blocks: Sequence[Block], name: str) -> tuple[float, float] | None:
    """Return by how much a mechanism's blocks are worth more than the controls', in deviations of one run, and the
    standard error; None before each side has had a block."""
    known = known_of(blocks)
    mine = known.get(name)
    control = Known()
    for each in CONTROLS:
        theirs = known.get(each, Known())
        control = Known(
            control.blocks + theirs.blocks, control.gain + theirs.gain, control.squares + theirs.squares
        )
    if mine is None or not control.blocks:
        return None
    error = _spread(known) * math.sqrt(1 / mine.blocks + 1 / control.blocks)
    return mine.mean - control.mean, error


def advantage_words(value: float, error: float) -> str:
    """Write what `advantage` returns for people: `−1.2 ± 0.3 (standard error)`."""
    sign = "\u2212" if value < 0 else "+"
    return f"{sign}{abs(value):.2g} ± {error:.2g} (standard error)"


def retirement(blocks: Sequence[Block], name: str) -> tuple[float, float] | None:
    """Return by how much too little a mechanism adds to the controls, as `advantage` does, None if it may stay: the
    upper bound of what it adds is not below nothing.

    Its newest blocks, `RECENT` of them, are judged by themselves too: what was good once may not be now.
    """
    mine = [block for block in blocks if block.mechanism == name]
    controls = sum(block.mechanism in CONTROLS for block in blocks)
    if name in CONTROLS or min(len(mine), controls) < LEAST:
        return None
    others = [block for block in blocks if block.mechanism != name]
    for judged in (blocks, [*others, *mine[-RECENT:]]):
        found = advantage(judged, name)
        if found is not None and found[0] + NormalDist().inv_cdf(CONFIDENCE) * found[1] < 0:
            return found
    return None


def blocks_needed(blocks: Sequence[Block], name: str) -> int | None:
    """Return how many blocks of a mechanism, and as many of controls, would tell its advantage from none, if it is what
    it seems; None if they tell already, or if there is nothing to go by."""
    found = advantage(blocks, name)
    if found is None:
        return None
    value, error = found
    bound = NormalDist().inv_cdf(CONFIDENCE)
    if abs(value) > bound * error:
        return None
    spread = _spread(known_of(blocks))
    size = max(abs(value), 0.1 * spread)  # a smaller advantage is none that anybody would wait for
    return math.ceil(2 * (bound * spread / size) ** 2)
