"""What was told to people, and what is being told: a fold over the events about messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.rules import events as ev


@dataclass
class Messages:
    """The messages of one campaign. Only the events about messages change it."""

    intended: dict[str, ev.MessageIntended] = field(default_factory=dict)
    """The newest attempt at each message."""
    begun_at: dict[str, str] = field(default_factory=dict)
    ended: dict[str, ev.MessageEnded] = field(default_factory=dict)
    """How the newest attempt at each message ended."""
    told: set[str] = field(default_factory=set)
    """Notices that were told, as far as anybody can know."""
    charts: dict[str, str | None] = field(default_factory=dict)
    refusals: int = 0
    """Attempts in a row that were refused."""
    last_end: str = ""

    def intend(self, event: ev.MessageIntended, at: str) -> None:
        """Take in that a message is about to be sent."""
        self.intended[event.message] = event
        self.begun_at[event.message] = at
        self.ended.pop(event.message, None)

    def end(self, event: ev.MessageEnded, at: str) -> None:
        """Take in what became of an attempt; of an earlier one it changes nothing."""
        intended = self.intended.get(event.message)
        if intended is None or intended.attempt != event.attempt:
            return
        self.ended[event.message] = event
        self.last_end = max(self.last_end, at)
        self.refusals = self.refusals + 1 if event.outcome == "refused" else 0
        if event.outcome != "refused":
            self.told.update(intended.covers)

    def is_told(self, message: str) -> bool:
        """Whether a message was sent, or must count as sent."""
        return message in self.ended and self.ended[message].outcome != "refused"

    def open(self) -> list[ev.MessageIntended]:
        """Return the attempts of which nobody knows yet how they ended."""
        return [intended for name, intended in self.intended.items() if name not in self.ended]

    def sent_in(self, night: str, channel: str) -> list[ev.MessageEnded]:
        """Return the messages of one night that stand in `channel`, first to last."""
        return [
            ended
            for name, ended in self.ended.items()
            if name.startswith(f"night:{night}:")
            and ended.ts is not None
            and self.intended[name].channel == channel
        ]

    def since(self, before: str) -> str | None:
        """Return up to when the newest morning message of an earlier date than `before` has told."""
        mornings = [
            (name, self.intended[name].upto)
            for name in self.ended
            if name.startswith("morning:") and self.is_told(name) and name < f"morning:{before}"
        ]
        return max(mornings)[1] if mornings else None
