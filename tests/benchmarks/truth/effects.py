"""What proposals do to the score: effects fitted to recorded campaigns, and the order in which they come.

A proposal crashes, or it is useful, idle or harmful. Useful and harmful effects are lognormal, idle ones normal around
zero and small. Useful ones become rarer as a campaign goes on: by `1 / (1 + n / fatigue)^2` at the n-th proposal, idle
ones in their place.
Nothing depends on what was merged before or on any verdict, so that every procedure can meet the same proposals.
Effects are in bits per byte; negative is better.

What `fitted.json` holds: a fit to 14 recorded campaigns (`tests.benchmarks.truth.fit`) gives 0.15 useful, 0.59 harmful,
spreads of 1.7 and 1.2 and a median harm of 0.0024. Sizes of harm are taken from it as they are; the shares, the
useful ones' spread and the fatigue, which records of 30 to 126 experiments leave open, are those near the fit with
which oracle and greedy find what they found in an earlier simulator, whose bars are to be kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

AGREEMENTS = (0.5, 0.6, 0.7, 0.8, 0.9), (0.69, 0.76, 0.83, 0.89, 0.945)
"""Correlations of scores, and those of the normal copula that make them."""
FITTED = Path(__file__).with_name("fitted.json")
Numbers: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Effects:
    """Shares of the proposals that don't crash, medians in bits per byte, spreads of the logarithm."""

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


def fitted() -> Effects:
    """Return the effects as they were fitted to recorded campaigns (`tests.benchmarks.truth.fit`)."""
    return Effects(**json.loads(FITTED.read_text())["effects"])


@dataclass(frozen=True)
class Proposals:
    """The proposals of one campaign in their order.

    `effects`: what each adds to a full run's expected score, (n,). `rungs`: what it adds to that of a run with a part
    of the budget. `crashes`, `shorter`: booleans, (n,).
    """

    effects: Numbers
    rungs: Numbers
    crashes: NDArray[np.bool_]
    shorter: NDArray[np.bool_]

    @classmethod
    def draw(cls, effects: Effects, count: int, agreement: float, rng: np.random.Generator) -> Proposals:
        """Draw `count` proposals.

        What a short run shows of an effect is of the same distribution, and agrees with it by a normal copula.
        `agreement`, 0.5 to 0.9, is the correlation of a short run's score with a full one's if runs are quiet (sigma
        0.0003): the copula's is higher, for a few large effects decide the other.
        """
        copula = float(np.interp(agreement, *AGREEMENTS))
        one, other = rng.standard_normal((2, count))
        useful = effects.useful / (1.0 + np.arange(count) / effects.fatigue) ** 2
        short = copula * one + (1 - copula**2) ** 0.5 * other
        crashes, shorter = rng.random((2, count))
        return cls(
            _of_rank(effects, one, useful),
            _of_rank(effects, short, useful),
            crashes < effects.crashes,
            shorter < effects.shorter,
        )


def _of_rank(effects: Effects, normal: Numbers, useful: Numbers) -> Numbers:
    """Return the effects (n,) whose ranks are those of the standard normal numbers `normal` (n,), low is better, if
    the shares `useful` (n,) are.

    The three kinds follow one another: a useful proposal ranks before any idle one.
    """
    usual = NormalDist()
    ranks = (usual.cdf(float(value)) for value in normal)
    return np.array([_effect(effects, rank, float(u), usual) for rank, u in zip(ranks, useful, strict=True)])


def _effect(effects: Effects, rank: float, useful: float, usual: NormalDist) -> float:
    """Return the effect at a rank from 0 to 1."""
    if rank < useful:
        z = usual.inv_cdf(_inside(1 - rank / useful))
        return -effects.useful_median * float(np.exp(effects.useful_spread * z))
    harmful = 1 - effects.harmful
    if rank < harmful:
        return effects.idle_spread * usual.inv_cdf(_inside((rank - useful) / (harmful - useful)))
    z = usual.inv_cdf(_inside((rank - harmful) / effects.harmful))
    return effects.harmful_median * float(np.exp(effects.harmful_spread * z))


def _inside(share: float) -> float:
    return min(max(share, 1e-4), 1 - 1e-4)
