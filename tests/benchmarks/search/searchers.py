"""Who searches: the project's offline search, blind mutation, Optuna's TPE and `cmaes`; and one campaign of theirs.

All propose settings for the same landscape, under the same noise and the same rule of landing: a change lands if its
measured effect is below minus two of its deviations. The libraries are told each setting's range and that the score
of what lands counts; they see scores, where the offline search sees effects of the same deviation.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from bot.agents.constants import rewritten
from bot.agents.offline.search import propose
from bot.rules.proposal import Change, PastExperiment
from tests.benchmarks.search.landscapes import Dimension, Landscape


@dataclass(frozen=True)
class Result:
    """What came of a try: its measured score and effect (None: it crashed), and whether it landed."""

    score: float | None
    effect: float | None
    landed: bool


class Searcher(Protocol):
    """One search in one campaign."""

    def ask(self, number: int) -> Mapping[str, str] | None:
        """Return literals of all settings to try, None if nothing is left."""
        ...

    def tell(self, result: Result) -> None:
        """Take up what came of what was asked last."""
        ...


Maker = Callable[[Landscape, int], Searcher]


@dataclass(frozen=True)
class Campaign:
    """The share of the possible gain after each experiment, what was tried before, and what crashed."""

    gains: list[float]
    repeats: int
    crashes: int


def campaign(ground: Landscape, make: Maker, *, experiments: int, seed: int) -> Campaign:
    """Run one campaign of `experiments` on `ground`."""
    noise = random.Random(f"noise/{seed}")
    searcher = make(ground, seed)
    incumbent = dict(ground.starts)
    start = ground.score(incumbent)
    assert start is not None
    gains: list[float] = []
    seen = {tuple(incumbent[each.name] for each in ground.dimensions)}
    repeats = crashes = 0
    now = start
    for number in range(1, experiments + 1):
        error = noise.gauss(0, ground.sigma)
        asked = searcher.ask(number)
        if asked is None:
            break
        key = tuple(asked[each.name] for each in ground.dimensions)
        repeats += key in seen
        seen.add(key)
        after = ground.score(asked)
        crashes += after is None
        effect = None if after is None else after - now + error
        landed = effect is not None and effect < -2 * ground.sigma
        if landed and after is not None:
            incumbent, now = dict(asked), after
        searcher.tell(Result(None if after is None else after + error, effect, landed))
        gains.append((start - now) / start)
    gains += [gains[-1] if gains else 0.0] * (experiments - len(gains))
    return Campaign(gains, repeats, crashes)


@dataclass
class Offline:
    """The search under test, through the function that the proposer calls."""

    ground: Landscape
    seed: int
    files: dict[str, str] = field(init=False)
    values: dict[str, str] = field(init=False)
    history: list[PastExperiment] = field(default_factory=list)
    changes: tuple[Change, ...] = ()
    category: str = ""

    def __post_init__(self) -> None:
        self.files = {self.ground.path: self.ground.source}
        self.values = dict(self.ground.starts)

    def ask(self, number: int) -> Mapping[str, str] | None:
        proposal = propose(self.files, self.history, seed=self.seed, number=number)
        if proposal is None:
            return None
        self.changes, self.category = proposal.changes, proposal.category
        return {**self.values, **{each.name: each.new for each in self.changes}}

    def tell(self, result: Result) -> None:
        verdict = "crashed" if result.effect is None else "improved" if result.landed else "discarded"
        sigma = None if result.effect is None else self.ground.sigma
        self.history.append(
            PastExperiment(
                len(self.history) + 1, self.changes, "", self.category, verdict, result.effect, sigma, result.landed,
                self.values,
            )
        )  # fmt: skip
        if result.landed:
            self.files = {**self.files, **rewritten(self.files, self.changes)}
            self.values = {**self.values, **{each.name: each.new for each in self.changes}}


@dataclass
class Blind:
    """Blind mutation: a random setting of the incumbent at a random place of its range."""

    ground: Landscape
    seed: int
    values: dict[str, str] = field(init=False)
    asked: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = dict(self.ground.starts)

    def ask(self, number: int) -> Mapping[str, str] | None:
        rng = random.Random(f"blind/{self.seed}/{number}")
        for _ in range(200):
            each = rng.choice(self.ground.dimensions)
            place = rng.randrange(len(each.choices)) if each.choices else rng.uniform(each.low, each.high)
            text = each.literal(place)
            if text != self.values[each.name]:
                self.asked = {**self.values, each.name: text}
                return self.asked
        return None

    def tell(self, result: Result) -> None:
        if result.landed:
            self.values = self.asked


class Tpe:
    """Optuna's TPE, with the start as its first trial; what crashes counts as the worst score seen."""

    def __init__(
        self, ground: Landscape, seed: int, *, startup: int = 10, multivariate: bool = False
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.ground, self.optuna = ground, optuna
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # multivariate is called experimental
            sampler = optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=startup, multivariate=multivariate
            )
        self.study = optuna.create_study(sampler=sampler)
        self.space = {each.name: self._distribution(each) for each in ground.dimensions}
        first = ground.score(ground.starts)
        assert first is not None
        start = {
            each.name: each.start if each.choices else each.place(each.start) for each in ground.dimensions
        }
        self.study.add_trial(optuna.trial.create_trial(params=start, distributions=self.space, value=first))
        self.worst = first

    def _distribution(self, each: Dimension) -> Any:
        if each.choices:
            return self.optuna.distributions.CategoricalDistribution(each.choices)
        return self.optuna.distributions.FloatDistribution(each.low, each.high)

    def ask(self, number: int) -> Mapping[str, str] | None:
        self.trial = self.study.ask(self.space)
        params = self.trial.params
        return {
            each.name: params[each.name] if each.choices else each.literal(params[each.name])
            for each in self.ground.dimensions
        }

    def tell(self, result: Result) -> None:
        self.worst = max(self.worst, result.score or self.worst)
        self.study.tell(self.trial, self.worst if result.score is None else result.score)


class Cma:
    """`cmaes` from the start on, in a range of -1 to 1 for a unit; a choice is a number that is rounded."""

    def __init__(self, ground: Landscape, seed: int, *, sigma: float = 0.5) -> None:
        import cmaes

        self.ground = ground
        self.bounds = np.array([self._range(each) for each in ground.dimensions])
        start = np.array([each.place(each.start) for each in ground.dimensions])
        # One scale for all: ranges are 4 units wide, and so are those of choices made.
        self.scale = (self.bounds[:, 1] - self.bounds[:, 0]) / 4
        self.optimizer = cmaes.CMA(
            mean=start / self.scale, sigma=sigma, bounds=self.bounds / self.scale[:, None], seed=seed
        )
        self.told: list[tuple[np.ndarray, float]] = []
        self.worst = ground.score(ground.starts) or 0.0

    def _range(self, each: Dimension) -> tuple[float, float]:
        return (-0.5, len(each.choices) - 0.5) if each.choices else (each.low, each.high)

    def ask(self, number: int) -> Mapping[str, str] | None:
        self.point = self.optimizer.ask()
        places = self.point * self.scale
        return {
            each.name: each.literal(float(place))
            for each, place in zip(self.ground.dimensions, places, strict=True)
        }

    def tell(self, result: Result) -> None:
        self.worst = max(self.worst, result.score or self.worst)
        self.told.append((self.point, self.worst if result.score is None else result.score))
        if len(self.told) == self.optimizer.population_size:
            self.optimizer.tell(self.told)
            self.told = []


SEARCHERS: dict[str, Maker] = {
    "offline": Offline,
    "blind": Blind,
    "tpe": Tpe,
    "tpe joint": lambda ground, seed: Tpe(ground, seed, multivariate=True),
    "cmaes": Cma,
}
LIBRARIES = ("tpe", "tpe joint", "cmaes")
