"""The arms of the table: how a campaign is played under each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bot.rules.outer.registry import CONTROLS, built_in, names
from bot.rules.outer.trial import BLOCK
from bot.rules.outer.view import Steer
from tests.benchmarks.outer.landscapes import Regime
from tests.benchmarks.outer.play import Game, Try
from tests.benchmarks.outer.researcher import writes
from tests.benchmarks.outer.trials import trial, with_prior
from tests.benchmarks.search.searchers import Cma, Result, Searcher, Tpe

Arm = Callable[[Game, int], None]


def alone(name: str) -> Arm:
    """Return the arm in which one mechanism steers every block."""

    def play(game: Game, experiments: int) -> None:
        mechanism = None if name == "none" else built_in(name)
        while game.number <= experiments:
            game.step(mechanism, game.number - (game.number - 1) % BLOCK)

    return play


def offline(game: Game, experiments: int) -> None:
    """Let the product's search make every proposal."""
    while game.number <= experiments:
        game.end(game.by_search(Steer()), "offline", changed=True)


def library(make: Callable[[Game], Searcher]) -> Arm:
    """Return the arm in which a library makes every proposal; it is told the range of every setting."""

    def play(game: Game, experiments: int) -> None:
        searcher = make(game)
        while game.number <= experiments:
            asked = searcher.ask(game.number)
            assert asked is not None
            turned = tuple(
                (name, place)
                for name, text in asked.items()
                if text != game.literals[name] and (place := game.dimensions[name].place(text)) is not None
            )
            before = game.truth()
            game.end(Try(turned, "other", "library"), "library", changed=True)
            effect = game.past[-1].effect
            landed = game.past[-1].landed
            searcher.tell(Result(None if effect is None else before + effect, effect, landed))

    return play


def under_trial(game: Game, experiments: int, prior: object = None, *, researcher: bool = False) -> None:
    """Put all mechanisms on trial."""
    begins = None if prior is None else with_prior(prior, game.regime)
    trial(game, experiments, begins, writes(game.seed) if researcher else None)


TRIAL, WITH_PRIOR, RESEARCHER = "trial", "trial, prior", "trial, researcher"


def arms(prior: object = None) -> dict[str, Arm]:
    """Return all arms by name, plain first; `prior` is what the trial with a prior begins with."""
    found: dict[str, Arm] = {"plain": alone("none")}
    found |= {name: alone(name) for name in names() if name != CONTROLS[0]}
    return found | {
        "offline": offline,
        "tpe": library(lambda game: Tpe(game.ground.landscape, game.seed)),
        "cmaes": library(lambda game: Cma(game.ground.landscape, game.seed)),
        TRIAL: under_trial,
        WITH_PRIOR: partial(under_trial, prior=prior),
        RESEARCHER: partial(under_trial, researcher=True),
    }


HEAVY = frozenset({"mix", "offline", "tpe", "tabu", "opposite", "strategy", TRIAL, WITH_PRIOR, RESEARCHER})
"""Arms that take seconds a campaign, by what they ask of libraries or of the offline search."""


def campaign(
    regime: Regime, seed: int, arm: str, experiments: int, memory: int | None, prior: object = None
) -> Game:
    """Play one campaign."""
    game = Game(regime, seed, memory)
    arms(prior)[arm](game, experiments)
    return game
