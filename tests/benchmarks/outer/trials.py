"""All mechanisms under the product's trial: with an empty prior, with one learned elsewhere, and with a researcher."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from bot.rules.outer.reading import from_json
from bot.rules.outer.registry import Mechanism, built_in, names
from bot.rules.outer.trial import (
    BLOCK,
    Block,
    Known,
    Prior,
    PriorRow,
    allot,
    dead,
    prior_of,
    retirement,
    worths,
)
from bot.rules.tracking import shrunken
from tests.benchmarks.outer.landscapes import Regime
from tests.benchmarks.outer.play import HOURS, Event, Game

FAILS_FOR = 30
"""Experiments for which one that failed is off: a night."""
Written = Callable[[int], Mapping[str, Mechanism]]
"""What a researcher has written before an experiment, by name."""


def trial(
    game: Game, experiments: int, prior: Mapping[str, Known] | None = None, written: Written | None = None
) -> list[Block]:
    """Play a campaign under the trial and return its blocks."""
    blocks: list[Block] = []
    gone: set[str] = set()
    failed: dict[str, int] = {}
    while game.number <= experiments:
        more = written(game.number) if written is not None else {}
        hand = [*names(), *more]
        out = gone | {name for name, until in failed.items() if game.number < until}
        name = allot(hand, blocks, len(blocks), game.seed, prior=prior, out=out)
        mechanism = more[name] if name in more else built_in(name)
        since = game.number
        for _ in range(min(BLOCK, experiments + 1 - since)):
            try:
                game.step(None if name == "none" else mechanism, since)
            except (ValueError, ArithmeticError, LookupError, TypeError):
                failed[name] = game.number + FAILS_FOR  # the experiment goes on without it
                game.step(None, since)
        blocks.append(block_of(name, game.events[since - 1 :], game.bench.sigma))
        gone |= {each for each in hand if dead(blocks, each) or retirement(blocks, each) is not None}
    return blocks


def block_of(name: str, events: Sequence[Event], sigma: float) -> Block:
    """Return a block by its experiments, as `bot.rules.outer.worth` does from the ledger."""
    gain = sum(each.merged / sigma * shrunken(abs(each.merged) / sigma, 2) for each in events)
    return Block(name, gain, sum(each.cost for each in events) * HOURS, sum(each.changed for each in events))


def prior_rows(regime: Regime, seed: int, experiments: int, memory: int | None) -> list[dict[str, object]]:
    """Return what a campaign adds to the file that a user carries along, as JSON."""
    known: dict[str, Known] = {}
    for name, worth in worths(trial(Game(regime, seed, memory), experiments)):
        known[name] = known.get(name, Known()).with_worth(worth)
    return [
        asdict(PriorRow(name, regime.mind, "simulated", found.blocks, found.gain, found.squares))
        for name, found in known.items()
    ]


def with_prior(record: object, regime: Regime) -> dict[str, Known]:
    """Return what a campaign of `regime` begins with if its user carries that file along."""
    return prior_of(from_json(Prior, record), regime.mind, "simulated")
