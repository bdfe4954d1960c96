"""Gives the offline search a share of the experiments, 70 % at first, more or less as its gains compare with a model's.

Centaur (arXiv 2603.24647) hands 70 % of the proposals to a classical optimizer and the rest to a model, and reports
0.9739 against 0.9768 for TPE and 0.9770 for a strong model alone.
"""

from __future__ import annotations

import random
from statistics import fmean

from bot.rules.outer.view import OFFLINE, Steer, View

MODELS = 1
SHARE = 0.7
_LEAST, _MOST = 0.3, 0.9
_WEIGHT = 10  # experiments of each side that what is thought beforehand is worth


def steer(view: View, seed: int) -> Steer:
    models = [name for name in view.proposers if name != OFFLINE]
    if not models or OFFLINE not in view.proposers:
        return Steer()
    offline = random.Random(f"mix/{seed}/{view.number}").random() < share_of(view)
    return Steer(assign=OFFLINE if offline else models[0])


def share_of(view: View) -> float:
    """Return the share of the experiments that the offline search takes."""
    ended = view.ended()
    typical = fmean(past.gain for past in ended) if ended else 0.0
    if typical <= 0:
        return SHARE
    sides = [[p.gain for p in ended if (p.proposer == OFFLINE) is offline] for offline in (True, False)]
    worth = [(_WEIGHT * typical + max(0.0, sum(side))) / (_WEIGHT + len(side)) for side in sides]
    offline, model = SHARE * worth[0], (1 - SHARE) * worth[1]
    return min(_MOST, max(_LEAST, offline / (offline + model)))
