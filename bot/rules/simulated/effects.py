"""What proposals do to the score: how often they are useful, idle or harmful, and by how much.

A proposal crashes, or it is useful, idle or harmful. Useful and harmful effects are lognormal, idle ones normal around
zero and small. Useful ones become rarer as a campaign goes on: by `1 / (1 + n / fatigue)^2` at the n-th proposal, idle
ones in their place. Nothing depends on what was merged before or on any verdict, so that the same proposals can be met
under several settings. Effects are in score units; negative is better.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from statistics import NormalDist

AGREEMENTS = (0.5, 0.6, 0.7, 0.8, 0.9), (0.69, 0.76, 0.83, 0.89, 0.945)
"""Correlations of short and whole runs' scores, and those of the normal copula that make them."""
_USUAL = NormalDist()


@dataclass(frozen=True)
class Effects:
    """Shares of the proposals that don't crash, medians in score units, spreads of the logarithm."""

    useful: float
    harmful: float
    useful_median: float
    useful_spread: float
    harmful_median: float
    harmful_spread: float
    idle_spread: float
    fatigue: float
    crashes: float = 0.12
    shorter: float = 0.0
    """Share of the proposals that remove lines."""

    def with_shorter(self, share: float) -> Effects:
        """Return the same with this share of proposals that remove lines."""
        return replace(self, shorter=share)

    def nothing_to_find(self) -> Effects:
        """Return the same without useful proposals: these and the idle ones change nothing at all."""
        return replace(self, useful=0.0, idle_spread=0.0)

    def mostly_harmful(self) -> Effects:
        """Return the same with a fifth of the useful proposals, and harm in place of the others and the idle ones."""
        return replace(self, useful=self.useful / 5, harmful=0.9 - self.useful / 5)

    def useful_at(self, place: float) -> float:
        """Return the share of useful proposals at a place in the campaign (0, 1, ...)."""
        return self.useful / (1.0 + place / self.fatigue) ** 2

    def of_rank(self, rank: float, useful: float) -> float:
        """Return the effect at a rank from 0 (best) to 1 if the share `useful` of the proposals is."""
        if rank < useful:
            z = _USUAL.inv_cdf(_inside(1 - rank / useful))
            return -self.useful_median * math.exp(self.useful_spread * z)
        harmful = 1 - self.harmful
        if rank < harmful:
            return self.idle_spread * _USUAL.inv_cdf(_inside((rank - useful) / (harmful - useful)))
        z = _USUAL.inv_cdf(_inside((rank - harmful) / self.harmful))
        return self.harmful_median * math.exp(self.harmful_spread * z)


RECORDED = Effects(0.146, 0.412, 0.0007, 1.52, 0.0024, 1.17, 7e-05, 260.0)
"""In bits per byte. A fit to 14 recorded campaigns (`tests/benchmarks/truth/fit.py`) gives 0.15 useful, 0.59 harmful,
spreads of 1.7 and 1.2 and a median harm of 0.0024. Sizes of harm are taken from it as they are; the shares, the
useful ones' spread and the fatigue, which records of 30 to 126 experiments leave open, are those near the fit with
which oracle and greedy find what they found in an earlier simulator, whose bars are to be kept."""


def copula_of(agreement: float) -> float:
    """Return the normal copula's correlation for a correlation of scores, 0.5 to 0.9, if runs are quiet: it is
    higher, for a few large effects decide the other."""
    scores, copulas = AGREEMENTS
    place = min(max(bisect_right(scores, agreement) - 1, 0), len(scores) - 2)
    part = (agreement - scores[place]) / (scores[place + 1] - scores[place])
    return copulas[place] + min(max(part, 0.0), 1.0) * (copulas[place + 1] - copulas[place])


def _inside(share: float) -> float:
    return min(max(share, 1e-4), 1 - 1e-4)
