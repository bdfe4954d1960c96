"""Has a block begin with moves of constants drawn blindly, then leaves the search to itself.

H. R. Lourenço, O. C. Martin and T. Stützle, Iterated Local Search (2003): a local search goes on from a perturbed
point. Here the perturbation is measured like any experiment. A control.
"""

from __future__ import annotations

import random

from bot.rules.outer.view import Aim, Steer, View

KICKS = 2  # experiments at the beginning of a block
_AT_ONCE = 2  # constants that each may choose between, so that one that can't be moved ends nothing


def steer(view: View, seed: int) -> Steer:
    if view.number - view.since >= KICKS or not view.constants:
        return Steer()
    rng = random.Random(f"kick/{seed}/{view.number}")
    drawn = rng.sample(view.constants, min(_AT_ONCE, len(view.constants)))
    return Steer(focus=tuple(Aim(view.number + 1, constant=each.name) for each in drawn))
