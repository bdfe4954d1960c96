"""One campaign that may have been: proposals and a machine, drawn from what is known of a real one.

What a proposal does, and what a run draws, depends on the seed, the commit, its share of the budget and how often it
ran before, not on who asks: every setting meets the same proposals and the same luck.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from statistics import NormalDist

from bot.rules.simulated.effects import Effects, copula_of
from bot.rules.simulated.play import Commit, Over, Proposal, Score

_USUAL = NormalDist()
_SHORT_LOSS = 30.0
"""How much worse a short run's score is, in typical harmful effects: nothing compares it with a whole one's."""


@dataclass(frozen=True)
class Ground:
    """What a campaign may be like. `first` is the baseline's score, `sigma` the deviation of one run and `walk` that of
    a step that scores drift by in a run's time, all in score units. What a short run and a crash cost is counted in
    whole runs, a crash's by the share of the budget. `agreement`: of short with whole runs."""

    effects: Effects
    sigma: float
    first: float = 1.0
    walk: float = 0.0
    short_cost: float = 0.25
    crash_cost: float = 0.3
    agreement: float = 0.8
    maximize: bool = False
    guard: float = 0.0


@dataclass
class Drawn:
    """The proposals of one campaign, drawn as they are asked for."""

    ground: Ground
    seed: int
    known: dict[int, Proposal] = field(default_factory=dict)

    def __getitem__(self, number: int) -> Proposal:
        """Return proposal `number`, from 0 on."""
        if number not in self.known:
            effects, draw = self.ground.effects, random.Random(f"{self.seed}/proposal/{number}")
            copula, useful = copula_of(self.ground.agreement), effects.useful_at(number)
            one = draw.gauss(0, 1)
            short = copula * one + math.sqrt(1 - copula**2) * draw.gauss(0, 1)
            self.known[number] = Proposal(
                effects.of_rank(_USUAL.cdf(one), useful),
                effects.of_rank(_USUAL.cdf(short), useful),
                draw.random() < effects.crashes,
                draw.random() < effects.shorter,
            )
        return self.known[number]


class Bench:
    """Runs commits of one campaign until its time, counted in whole runs, is spent."""

    def __init__(self, ground: Ground, seed: int, budget: float) -> None:
        self.ground, self.seed, self.budget = ground, seed, budget
        self.clock = 0.0
        self._ran: dict[tuple[int, float], int] = {}
        self._level = [0.0]
        self._steps = random.Random(f"{seed}/walk")

    @property
    def kind(self) -> str:
        """The kind of machine: there is one."""
        return "simulated"

    def run(self, commit: Commit, seed: int, share: float = 1.0) -> Score:
        """Run a commit with a share of the budget. Raises `Over` if that is more than what is left."""
        ground = self.ground
        times = self._ran[commit.made_by, share] = self._ran.get((commit.made_by, share), 0) + 1
        whole = 1.0 if share == 1.0 else ground.short_cost
        cost = whole * (ground.crash_cost if commit.crashes else 1.0)
        self.clock += cost
        if self.clock > self.budget:
            raise Over
        if commit.crashes:
            return Score(None, cost, self.clock, self.kind, 0.0, 1.0)
        value = commit.full if share == 1.0 else commit.short + _SHORT_LOSS * ground.effects.harmful_median
        value += self._drift()
        if ground.sigma:
            noise = random.Random(f"{self.seed}/run/{commit.made_by}/{share}/{times}")
            value += ground.sigma * noise.gauss(0, 1)
        score = ground.first - value if ground.maximize else ground.first + value
        return Score(score, cost, self.clock, self.kind, 0.0, 1.0)

    def _drift(self) -> float:
        """Return how far the machine has drifted by now."""
        while len(self._level) <= self.clock:
            self._level.append(self._level[-1] + self.ground.walk * self._steps.gauss(0, 1))
        return self._level[int(self.clock)]
