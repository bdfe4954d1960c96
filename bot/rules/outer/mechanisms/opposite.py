"""After a step that was refused, looks the other way once: minds try the same way again in 7 of 10 cases.

As in R. Hooke and T. A. Jeeves, "Direct Search" Solution of Numerical and Statistical Problems (1961): a step that
fails is followed by the step in the other direction.
"""

from __future__ import annotations

from typing import Literal

from bot.rules.outer.view import Aim, Past, Steer, View


def steer(view: View, seed: int) -> Steer:
    ended = view.ended()
    last = ended[-1] if ended else None
    if last is None or not last.failed or len(last.moves) != 1 or last.edits:
        return Steer()
    (moved,) = last.moves
    other: Literal["up", "down"] = "down" if moved.direction == "up" else "up"
    there = any(each.name == moved.constant for each in view.constants)
    if moved.direction == "changed" or not there or _was_tried(view.past, moved.constant, other):
        return Steer()
    return Steer(
        focus=(Aim(view.number + 1, constant=moved.constant, direction=other),),
        note=f"Experiment {last.number} moved {moved.constant} {moved.direction} and lost; {other} was not tried.",
    )


def _was_tried(past: tuple[Past, ...], constant: str, direction: str) -> bool:
    return any((m.constant, m.direction) == (constant, direction) for one in past for m in one.moves)
