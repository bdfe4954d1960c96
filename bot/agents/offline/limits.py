"""Where candidates crashed, and how likely another is to crash there too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.agents.offline.model import Array, Ids, Points


@dataclass(frozen=True)
class Crash:
    """One crash and its suspects: places beyond `above` or `below` (infinite: no suspect), and new picks of choices.
    One of them is guilty, each as likely as the others."""

    above: Array
    below: Array
    choices: Ids
    picks: Ids

    def blame(self, points: Points) -> Array:
        """Return the share of the suspects that each point has too."""
        suspects = int(np.isfinite(self.above).sum() + np.isfinite(self.below).sum()) + len(self.choices)
        hit = (points.places >= self.above - 1e-9).sum(1) + (points.places <= self.below + 1e-9).sum(1)
        hit = hit + (points.picks[:, self.choices] == self.picks).sum(1)
        return np.minimum(1.0, hit / max(1, suspects))


def crash_of(parent: Points, child: Points, ran: Points) -> Crash:
    """Return what the crash of `child` tells, a change of `parent`, beside all that `ran`."""
    old, new = parent.places[0], child.places[0]
    above = np.where((new > old + 1e-9) & (new > ran.places.max(0) + 1e-9), new, np.inf)
    below = np.where((new < old - 1e-9) & (new < ran.places.min(0) - 1e-9), new, -np.inf)
    picks = child.picks[0]
    fresh = [
        column
        for column in range(len(picks))
        if picks[column] != parent.picks[0, column] and picks[column] not in ran.picks[:, column]
    ]
    choices = np.array(fresh, dtype=np.int64)
    return Crash(above, below, choices, picks[choices])


def chance_to_run(crashes: Sequence[Crash], points: Points) -> Array:
    """Return how likely each point is not to crash."""
    chance = np.ones(len(points))
    for crash in crashes:
        chance *= 1 - crash.blame(points)
    return chance
