"""The proposals of a campaign in their order: `bot.rules.simulated.effects`, drawn all at once by numpy."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bot.rules.simulated.effects import Effects, copula_of
from bot.rules.simulated.play import Proposal

Numbers: TypeAlias = NDArray[np.float64]


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

    def __getitem__(self, number: int) -> Proposal:
        """Return proposal `number`, from 0 on."""
        return Proposal(
            float(self.effects[number]),
            float(self.rungs[number]),
            bool(self.crashes[number]),
            bool(self.shorter[number]),
        )

    @classmethod
    def draw(cls, effects: Effects, count: int, agreement: float, rng: np.random.Generator) -> Proposals:
        """Draw `count` proposals.

        What a short run shows of an effect is of the same distribution, and agrees with it by a normal copula.
        `agreement`, 0.5 to 0.9, is the correlation of a short run's score with a full one's if runs are quiet (sigma
        0.0003): the copula's is higher, for a few large effects decide the other.
        """
        copula = copula_of(agreement)
        one, other = rng.standard_normal((2, count))
        useful = np.array([effects.useful_at(place) for place in range(count)])
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
    return np.array([effects.of_rank(rank, float(u)) for rank, u in zip(ranks, useful, strict=True)])
