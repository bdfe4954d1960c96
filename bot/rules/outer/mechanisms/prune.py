"""After every third merge asks for a simplification: what of all that was added is needed?

Pruning as in the Karpathy loop's own advice (simpler at an equal score is an improvement), and in genetic programming
against bloat: S. Luke and L. Panait, A Comparison of Bloat Control Methods for Genetic Programming (2006).
"""

from __future__ import annotations

from bot.rules.outer.view import OFFLINE, Aim, Steer, View

MODELS = 1
CATEGORY = "simplification"
MERGES = 3


def steer(view: View, seed: int) -> Steer:
    merged = sum(past.landed for past in view.ended())
    pruned = sum(past.category == CATEGORY for past in view.past)
    models = [name for name in view.proposers if name != OFFLINE]
    if not models or merged // MERGES <= pruned:
        return Steer()
    return Steer(
        assign=models[0],
        focus=(Aim(view.number + 1, category=CATEGORY),),
        note=f"{merged} changes were merged. Take out what is not needed: an equal score with fewer lines is a gain.",
    )
