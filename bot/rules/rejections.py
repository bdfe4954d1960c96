"""Rejections by a model, measured: a small share of what it rejects is trained once all the same.

Drawn by the experiment's number, so that nobody can choose. What comes of it changes no verdict: it says how often
a rejection was right, and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bot.rules.statistics import Comparison

Outcome = Literal["better", "worse", "unclear", "crashed", "refused"]
OUTCOMES: tuple[Outcome, ...] = ("better", "worse", "unclear", "crashed", "refused")


@dataclass(frozen=True)
class Rejections:
    """How many changes a reviewing model rejected, and what came of those that were trained once."""

    rejected: int
    outcomes: Sequence[tuple[Outcome, int]]

    @property
    def trained(self) -> int:
        return sum(times for _, times in self.outcomes)


def is_drawn(campaign: str, seed: int, number: int, share: float) -> bool:
    """Whether a rejected experiment is among the `share` that is trained: the same answer every time."""
    digest = hashlib.sha256(f"rejection/{campaign}/{seed}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def outcome_of(result: Comparison | None, *, lower_is_better: bool) -> Outcome:
    """Return what a run that has a score says; `result` is None if there is nothing to compare it with."""
    if result is None:
        return "unclear"
    gain = -result.effect if lower_is_better else result.effect
    if gain > result.half_width:
        return "better"
    return "worse" if gain < -result.half_width else "unclear"
