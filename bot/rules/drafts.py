"""Drafts that a maker had tried in the jail before it handed in: how often, and what time that took."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Drafts:
    """All of a campaign, by experiment."""

    turns: dict[int, int] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)

    @property
    def all_seconds(self) -> float:
        return sum(self.seconds.values())

    def add(self, experiment: int, turn: int, seconds: float) -> None:
        """Take in a try that is over."""
        self.turns[experiment] = max(self.turns.get(experiment, 0), turn)
        self.seconds[experiment] = self.seconds.get(experiment, 0.0) + seconds
