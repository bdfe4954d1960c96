"""Lets a category rest for three experiments after four failures of it in a row.

A patch is left once it stops paying: E. L. Charnov, Optimal Foraging, the Marginal Value Theorem (1976). The offline
search rests by the same rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from bot.rules.outer.view import Aim, Steer, View

REST_AFTER = 4  # failures in a row
REST_FOR = 3  # experiments


class Tried(Protocol):
    """What the rule reads of an earlier experiment that has its verdict."""

    @property
    def category(self) -> str: ...

    @property
    def verdict(self) -> str | None: ...

    @property
    def effect(self) -> float | None: ...


def rested(decided: Iterable[Tried]) -> Iterator[tuple[str, int]]:
    """Yield the categories that rest after these experiments, in the order of their numbers, and for how many more."""
    streak: dict[str, int] = {}
    last: dict[str, int] = {}
    count = 0
    for place, past in enumerate(decided):
        near = past.effect is not None and past.effect < 0
        failed = past.verdict in ("discarded", "crashed", "inconclusive", "rejected") and not near
        streak[past.category] = streak.get(past.category, 0) + 1 if failed else 0
        last[past.category] = place
        count = place + 1
    for category, failures in streak.items():
        left = REST_FOR - (count - 1 - last[category])
        if failures >= REST_AFTER and left > 0:
            yield category, left


def steer(view: View, seed: int) -> Steer:
    resting = [(category, left) for category, left in rested(view.ended()) if category]
    return Steer(avoid=tuple(Aim(view.number + left, category=name) for name, left in resting))
