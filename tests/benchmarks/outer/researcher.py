"""A scripted researcher: every thirty experiments it writes a mechanism, every other one broken. It knows no landscape.

The broken ones fail as models' code does: an exception, an unknown proposer, advice without an end, a class that nobody
calls, a screen that refuses everything. The others are ordinary ideas about searching.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.rules.outer.registry import Mechanism
from bot.rules.outer.view import AHEAD, Aim, Draft, Steer, View

EVERY = 30
_LATEST = 20
_AT_ONCE = 3


def _nothing(view: View, draft: Draft, seed: int) -> str | None:
    return None


@dataclass(frozen=True)
class Written:
    """A mechanism that the researcher wrote."""

    name: str
    steering: Callable[[View, int], Steer]
    screening: Callable[[View, Draft, int], str | None] = _nothing

    def steer(self, view: View, seed: int) -> Steer:
        return self.steering(view, seed)

    def screen(self, view: View, draft: Draft, seed: int) -> str | None:
        return self.screening(view, draft, seed)


def _untouched(view: View, seed: int) -> Steer:
    """Look at the constants that were moved least."""
    count = Counter(move.constant for past in view.past for move in past.moves)
    least = sorted(view.constants, key=lambda each: (count[each.name], each.name))[:_AT_ONCE]
    return Steer(focus=tuple(Aim(view.number + 1, constant=each.name) for each in least))


def _both_ways(view: View, seed: int) -> Steer:
    """Leave alone, for a while, the directions that were refused twice lately."""
    refused = Counter(
        (move.constant, move.direction)
        for past in view.ended()[-_LATEST:]
        if past.failed
        for move in past.moves
        if move.direction != "changed"
    )
    worn = [key for key, times in refused.items() if times >= 2]
    return Steer(avoid=tuple(Aim(view.number + 5, constant=n, direction=d) for n, d in worn[:20]))


def _follow(view: View, seed: int) -> Steer:
    """After a merge go on in its direction."""
    landed = [past for past in view.ended()[-2:] if past.landed and len(past.moves) == 1]
    if not landed or landed[-1].moves[0].direction == "changed":
        return Steer()
    moved = landed[-1].moves[0]
    return Steer(focus=(Aim(view.number + 1, constant=moved.constant, direction=moved.direction),))  # type: ignore[arg-type]


def _turns(view: View, seed: int) -> Steer:
    """Let the offline search and a model take turns."""
    return Steer(assign=view.proposers[-1] if view.number % 2 else view.proposers[0])


def _raises(view: View, seed: int) -> Steer:
    return (
        Steer(focus=(Aim(view.number + 1, constant=view.past[-1].moves[0].constant),))
        if view.past[9999]
        else Steer()
    )


def _nobody(view: View, seed: int) -> Steer:
    return Steer(assign="gpt-9")


def _endless(view: View, seed: int) -> Steer:
    return Steer(avoid=tuple(Aim(view.number + 10 * AHEAD, constant=each.name) for each in view.constants))


def _idle(view: View, seed: int) -> Steer:
    return Steer()


def _refuses(view: View, draft: Draft, seed: int) -> str | None:
    return "Think again."


_FINE = (
    Written("untouched", _untouched),
    Written("both_ways", _both_ways),
    Written("follow", _follow),
    Written("turns", _turns),
)
_BROKEN = (
    Written("raises", _raises),
    Written("nobody", _nobody),
    Written("idle", _idle),
    Written("refuses", _idle, _refuses),
    Written("endless", _endless),
)


def writes(seed: int) -> Callable[[int], Mapping[str, Mechanism]]:
    """Return what the researcher of one campaign has written before an experiment."""
    rng = random.Random(f"researcher/{seed}")
    fine, broken = rng.sample(_FINE, len(_FINE)), rng.sample(_BROKEN, len(_BROKEN))
    order = [each for pair in zip(broken, fine, strict=False) for each in pair]

    def at_hand(number: int) -> Mapping[str, Mechanism]:
        return {each.name: each for each in order[: (number - 1) // EVERY]}

    return at_hand
