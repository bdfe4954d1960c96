"""Forbids for seven experiments to repeat a move that was refused, and to undo one that was merged.

F. Glover, Tabu Search, Part I (1989): what was just done is forbidden for a while, by its attributes; a tenure of about
seven worked best there.
"""

from __future__ import annotations

from typing import Literal

from bot.rules.outer.view import AIMS, Aim, Steer, View

TENURE = 7  # experiments


def steer(view: View, seed: int) -> Steer:
    found: dict[tuple[str, str], Aim] = {}
    for past in view.ended():
        until = past.number + TENURE + 1
        if until <= view.number or past.edits or not (past.landed or past.failed):
            continue
        for moved in past.moves:
            if moved.direction == "changed":
                continue
            undone: Literal["up", "down"] = "down" if moved.direction == "up" else "up"
            way = undone if past.landed else moved.direction
            found[moved.constant, way] = Aim(until, constant=moved.constant, direction=way)
    return Steer(avoid=tuple(found.values())[-AIMS:])
