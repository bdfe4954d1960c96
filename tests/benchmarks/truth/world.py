"""A machine whose truth is known: what runs cost, and how their scores vary.

Time is counted in full runs of the training device. What a run draws depends on the campaign, the commit, its share of
the budget and how often it ran before, not on who asks: two procedures that run the same commit as often see the same
scores as long as the machine is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from bot.rules.simulated.effects import RECORDED, Effects
from bot.rules.simulated.play import Commit, Over, Score
from tests.benchmarks.truth.effects import Numbers, Proposals

FIRST_SCORE = 1.0
SHORT_LOSS = 0.03
"""How much worse a short run's score is."""
CRASH_COST = 0.3
MOST_TRIED = (
    6  # proposals for each run of the budget: an oracle with rungs stops nearly all of them at a quarter
)
_TIMES, _SHARES = 4, 3  # how much of the noise is drawn in advance
_STEADY = 0.01  # of the throughput: what it varies by


@dataclass(frozen=True)
class World:
    """How runs vary, in bits per byte. `walk` is the deviation of a random walk's step for each run, `trend` what a
    score gains a run (negative: better); `neighbour` is what a busy neighbour adds while it is there; `machines` how
    far two kinds of machine that take turns are apart; `seeds` the deviation of what a seed adds to every commit, and
    `first_seed` what the first one adds beside.
    """

    sigma: float
    effects: Effects = RECORDED
    tails: int = 0
    walk: float = 0.0
    trend: float = 0.0
    neighbour: float = 0.0
    machines: float = 0.0
    seeds: float = 0.0
    first_seed: float = 0.0
    agreement: float = 0.8
    maximize: bool = False
    guard: float = 0.0
    """Deviation of a guarded metric, as a share of it; 0: nothing is guarded."""
    flaky: float = 0.0
    """Share of runs that fail for nothing that the commit does."""

    def quietened(self) -> World:
        """Return the same world without noise of any kind."""
        return World(0.0, self.effects, agreement=self.agreement)

    def with_sigma(self, sigma: float) -> World:
        """Return the same with another noise."""
        return replace(self, sigma=sigma)


class Machine:
    """Runs commits of one campaign until its time is spent."""

    def __init__(self, world: World, seed: int, budget: float) -> None:
        self.world, self.seed, self.budget = world, seed, budget
        self.clock = 0.0
        self.runs = 0
        self._ran: dict[tuple[int, float], int] = {}
        rng = np.random.default_rng((seed, 1))
        steps = int(budget) + 2
        self._walk = np.concatenate([[0.0], np.cumsum(rng.standard_normal(steps))]) * world.walk
        self._busy = _periods(np.random.default_rng((seed, 2)), steps + 1)
        self._noise = _noise(seed, world.tails, int(budget))
        self._seeds: dict[int, float] = {}

    def proposals(self) -> Proposals:
        """Return the campaign's proposals in their order: more than can be tried."""
        return _proposals(
            self.world.effects, self.world.agreement, self.seed, MOST_TRIED * int(self.budget) + 50
        )

    @property
    def kind(self) -> str:
        """The kind of machine there is now; two take turns in a world with `machines`."""
        return "card-b" if self.world.machines and int(self.clock // 70) % 2 else "card-a"

    def run(self, commit: Commit, seed: int, share: float = 1.0) -> Score:
        """Run a commit with a share of the budget. Raises `Over` if that is more than what is left."""
        world, kind = self.world, self.kind
        times = self._ran.get((commit.made_by, share), 0)
        self._ran[commit.made_by, share] = times + 1
        noise, guard, steady, fails = self._draws(commit.made_by, share, times)
        failed = commit.crashes or fails < world.flaky
        cost = share * (CRASH_COST if failed else 1.0)
        self.clock += cost
        self.runs += 1
        if self.clock > self.budget:
            raise Over
        busy = bool(self._busy[int(self.clock)]) and world.neighbour > 0
        throughput = (0.9 if busy else 1.0) * (1 + _STEADY * 0.3 * steady)
        if failed:
            return Score(None, cost, self.clock, kind, 0.0, throughput)
        value = commit.full if share == 1.0 else commit.short + SHORT_LOSS
        value += world.sigma * noise + self._shift(seed, kind, busy)
        value = FIRST_SCORE + value
        return Score(
            -value if world.maximize else value, cost, self.clock, kind, 100 * (1 + world.guard * guard), throughput
        )  # fmt: skip

    def _draws(self, made_by: int, share: float, times: int) -> tuple[float, float, float, float]:
        """Return what is drawn for a run: noise, the guarded metric's, the throughput's, and a number from 0 to 1."""
        place = min(int(4 * (1 - share)), _SHARES - 1)
        if made_by >= len(self._noise) - 1 or times >= _TIMES:
            rng = np.random.default_rng((self.seed, 4, made_by + 1, place, times))
            return tuple(_drawn(rng, self.world.tails, 1)[0].tolist())
        return tuple(self._noise[made_by, place, times].tolist())

    def _shift(self, seed: int, kind: str, busy: bool) -> float:
        """Return what time, machine and seed add to a score now."""
        world = self.world
        shift = float(self._walk[int(self.clock)]) + world.trend * self.clock
        shift += world.neighbour * busy + (world.machines if kind == "card-b" else 0.0)
        if world.seeds:
            if seed not in self._seeds:
                self._seeds[seed] = float(np.random.default_rng((self.seed, 5, seed)).standard_normal())
            shift += world.seeds * self._seeds[seed]
            shift += world.first_seed * (seed % 1000 == 1)
        return shift


@lru_cache(maxsize=4)
def _proposals(effects: Effects, agreement: float, seed: int, count: int) -> Proposals:
    return Proposals.draw(effects, count, agreement, np.random.default_rng((seed, 0)))


@lru_cache(maxsize=4)
def _noise(seed: int, tails: int, budget: int) -> Numbers:
    """Return what runs draw, (commits, shares, times, 4); the last commit is the baseline."""
    count = MOST_TRIED * budget + 50
    drawn = _drawn(np.random.default_rng((seed, 3)), tails, count * _SHARES * _TIMES)
    return drawn.reshape(count, _SHARES, _TIMES, 4)


def _drawn(rng: np.random.Generator, tails: int, count: int) -> Numbers:
    """Return what `count` runs draw, (count, 4). Noise has the deviation 1, with tails too."""
    if tails:
        noise = rng.standard_t(tails, count) / (tails / (tails - 2)) ** 0.5
    else:
        noise = rng.standard_normal(count)
    guard, steady = rng.standard_normal((2, count))
    return np.stack([noise, guard, steady, rng.random(count)], axis=1)


def _periods(rng: np.random.Generator, steps: int) -> Numbers:
    """Return ones (steps,) where the neighbour is busy: periods of 5 to 25 runs, and as long without."""
    busy: list[float] = []
    there = bool(rng.integers(2))
    while len(busy) < steps:
        busy += [float(there)] * int(rng.integers(5, 26))
        there = not there
    return np.array(busy[:steps])
