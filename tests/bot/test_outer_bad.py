"""Bad mechanisms that pass their checks: what the trial makes of them, on proposals from a script."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from bot.rules.outer.checks import NoAnswer, checked, failure, given, reason_of, steer_of
from bot.rules.outer.reading import to_json
from bot.rules.outer.steering import objection
from bot.rules.outer.trial import BLOCK, Block, allot, dead, retirement
from bot.rules.outer.view import SEND_BACKS, Constant, Draft, Steer, View, move
from tests.mechanisms import IN_TRIAL, Bad, here, history

BLOCKS = 80
BEHIND = 24  # experiments before the first block: those that the checks are made on
CATEGORIES = {"PAYS": "optimization", "A": "batch", "B": "schedule", "N": "noise"}


@pytest.mark.parametrize("name", IN_TRIAL)
def test_it_passes_its_checks(name: str) -> None:
    assert failure(checked(IN_TRIAL[name].source, history(BEHIND), 1, here(IN_TRIAL[name].source))) is None


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=pytest.mark.long if "ten blocks" in each else ()) for each in IN_TRIAL]
)
def test_it_ends_by_the_trial_s_rules_and_takes_no_block_then(name: str) -> None:
    bad, ended = IN_TRIAL[name], 0
    for seed in range(4):
        how, at, blocks = campaign(bad, seed)
        mine = [place for place, block in enumerate(blocks) if block.mechanism == "it"]
        if how is None:
            # Not ended, because it is hardly asked: less than its even share of the blocks.
            assert len(mine) < BLOCKS / 5, (name, seed)
            continue
        ended += 1
        # What changes nothing by chance in three blocks is dead, whatever else it would have been.
        assert how in (bad.ends, "dead"), (name, seed, how)
        assert max(mine) <= at, (name, seed)
        if bad.ends == "dead":
            assert len(mine) == 3, (name, seed)
        if "ten blocks" in name:
            assert len(mine) <= 30 + 15, (name, seed)  # thirty good ones
    assert ended >= 2, name


def campaign(bad: Bad, seed: int) -> tuple[str | None, int, list[Block]]:
    """Return how a mechanism ended beside one that does nothing wrong, at which block, and all blocks."""
    module: dict[str, Any] = {}
    exec(bad.source, module)
    rng, done = random.Random(seed), list[Block]()
    how, at = None, BLOCKS
    for number in range(BLOCKS):
        name = allot(["it", "peer"], done, number, seed, out={"it"} if how else ())
        gain, changed = 0.0, 0
        for first in range(BEHIND + 1 + BLOCK * number, BEHIND + 1 + BLOCK * (number + 1)):
            view = View(
                first, first, constants=tuple(Constant(each, 1.0, CATEGORIES[each]) for each in CATEGORIES)
            )
            try:
                asked = module if name == "it" and how is None else {}
                constant, back = proposed(asked, view, rng)
            except (NoAnswer, ValueError):
                how, at = "failed", number
                constant, back = proposed({}, view, rng)
            changed += back
            gain += max(0.0, rng.gauss(1.5, 1.0)) if constant == "PAYS" else 0.0
        done.append(Block(name, gain, 1.0, changed))
        if how is None and dead(done, "it"):
            how, at = "dead", number
        elif how is None and retirement(done, "it"):
            how, at = "retired", number
    return how, at, done


def proposed(module: dict[str, Any], view: View, rng: random.Random) -> tuple[str, bool]:
    """Return the constant that a mind with no favourites proposes at last, and whether anything came back."""
    steer = steer_of(module["steer"](given(view, 1)), view) if module else Steer()
    screen: Callable[[Draft], str | None] = (
        (lambda draft: reason_of(module["screen"](given(view, 1), to_json(draft))))
        if module
        else lambda _: None
    )
    screened, came_back = 0, False
    for _ in range(12):
        constant = rng.choice(list(CATEGORIES))
        draft = Draft((move(constant, 1.0, 2.0),), CATEGORIES[constant], "claude")
        why = objection(steer, draft, view.number, CATEGORIES)
        if why is None and screened < SEND_BACKS:
            why = screen(draft)
            screened += why is not None
        if why is None:
            break
        came_back = True
    return constant, came_back
