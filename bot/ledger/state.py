"""The events of a ledger as they stand at one commit."""

from __future__ import annotations

from dataclasses import dataclass

from bot.ledger.folded import Folded
from bot.ledger.lines import Event


@dataclass(frozen=True)
class LedgerState:
    """The events of the campaign at `commit` (None: there are none yet), and notes for the human.

    `folded` says what came before these events, if that was not read (`LedgerStore.resume`).
    """

    commit: str | None
    events: tuple[Event, ...]
    notes: tuple[str, ...] = ()
    folded: Folded | None = None
    past: int = 0
    """How often what had been read before was found to be changed."""

    @property
    def end(self) -> tuple[int, int, str | None]:
        """What two states that hold the same events have in common: `past`, how many there are, the last one's key."""
        return self.past, self.count, self.key(self.count)

    @property
    def count(self) -> int:
        """How many events the ledger has."""
        return self.before + len(self.events)

    @property
    def before(self) -> int:
        """How many events come before `events`."""
        return self.folded.count if self.folded is not None else 0

    def key(self, count: int) -> str | None:
        """Return the key of the last of the first `count` events, None if that is not known."""
        if self.folded is not None and count == self.before:
            return self.folded.last
        return str(self.events[count - self.before - 1]["key"]) if self.before < count <= self.count else None
