"""Drafts that a maker had tried in the jail before it handed in: how often, and what time that took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True)
class DraftTried:
    """A smoke run of a draft is over: a few steps without a score. `seconds` occupied the training device.

    `turn` counts within the experiment; `outcome` says how far it came, or the class of its failure.
    """

    kind: ClassVar[str] = "draft_tried"
    experiment: int
    turn: int
    seconds: float
    outcome: str

    @property
    def key(self) -> str:
        return f"draft:{self.experiment}:{self.turn}"


@dataclass
class Drafts:
    """All of a campaign, by experiment."""

    turns: dict[int, int] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)

    @property
    def all_seconds(self) -> float:
        return sum(self.seconds.values())

    def apply(self, event: DraftTried) -> None:
        self.turns[event.experiment] = max(self.turns.get(event.experiment, 0), event.turn)
        self.seconds[event.experiment] = self.seconds.get(event.experiment, 0.0) + event.seconds
