"""Chooses between the models at hand by what each has gained per experiment, with room for doubt (UCB1).

As ShinkaEvolve does (arXiv 2509.19349), after P. Auer, N. Cesa-Bianchi and P. Fischer, Finite-time Analysis of the
Multiarmed Bandit Problem (2002). With one model it changes nothing.
"""

from __future__ import annotations

import math

from bot.rules.outer.view import OFFLINE, Steer, View

MODELS = 2


def steer(view: View, seed: int) -> Steer:
    models = [name for name in view.proposers if name != OFFLINE]
    if len(models) < 2:
        return Steer()
    tried = {name: [past for past in view.ended() if past.proposer == name] for name in models}
    largest = max((past.gain for past in view.ended()), default=0.0) or 1.0
    total = sum(len(mine) for mine in tried.values())

    def bound(name: str) -> float:
        count = len(tried[name])
        if count == 0:
            return math.inf
        mean = sum(past.gain for past in tried[name]) / (largest * count)
        return mean + math.sqrt(0.5 * math.log(total) / count)

    return Steer(assign=max(models, key=bound))
