"""Has two near misses tried together: each looked better, and neither could be proven.

Recombination of what is nearly good enough; the offline search combines near misses by the same rule.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Protocol, TypeVar

from bot.rules.outer.mechanisms.novel import same_value
from bot.rules.outer.view import Aim, Past, Steer, View

LARGEST = 2  # constants of one near miss
_CONSIDERED = 6  # near misses, the best


class Tried(Protocol):
    """What the rule reads of an earlier experiment."""

    @property
    def verdict(self) -> str | None: ...

    @property
    def effect(self) -> float | None: ...

    @property
    def landed(self) -> bool: ...


_Tried = TypeVar("_Tried", bound=Tried)


def near_misses(past: Iterable[_Tried]) -> list[_Tried]:
    """Return the experiments that looked better and did not land, the best first.

    `lost` ones with an effect count too: they were measured, and only their landing failed.
    """
    found = [
        one
        for one in past
        if not one.landed
        and one.verdict in ("discarded", "inconclusive", "improved", "lost")
        and one.effect is not None
        and one.effect < 0
    ]
    return sorted(found, key=lambda one: one.effect or 0.0)


def steer(view: View, seed: int) -> Steer:
    if view.number % 2:  # every other experiment: what single steps show is needed too
        return Steer()
    values = {each.name: each.value for each in view.constants}
    usable = [
        past
        for past in near_misses(view.ended())
        if 1 <= len(past.moves) <= LARGEST
        and not past.edits
        and all(m.constant in values and not same_value(values[m.constant], m.new) for m in past.moves)
    ][:_CONSIDERED]
    for left, right in itertools.combinations(usable, 2):
        names = {m.constant for m in left.moves} | {m.constant for m in right.moves}
        if len(names) == len(left.moves) + len(right.moves) and not _together(view.past, left, right):
            said = ", ".join(f"{m.constant} to {m.new}" for m in (*left.moves, *right.moves))
            note = (
                f"Experiments {left.number} and {right.number} looked better, each alone; together: {said}."
            )
            aims = tuple(Aim(view.number + 1, constant=name) for name in sorted(names))
            return Steer(focus=aims, note=note[:400])
    return Steer()


def _together(past: Iterable[Past], left: Past, right: Past) -> bool:
    wanted = {(m.constant, m.new) for m in (*left.moves, *right.moves)}
    return any(wanted <= {(m.constant, m.new) for m in one.moves} for one in past)
