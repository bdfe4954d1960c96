"""The protocol behind which people are reached, and the ways in which that can fail."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime

from bot.errors import UserError
from bot.tell.document import Message


class NotSent(UserError):
    """Nothing was sent, for certain; the message says why, and the fix."""


class Unclear(UserError):
    """Whether something was sent can't be known now."""


class CannotLook(UserError):
    """What was sent can't be looked up here, now or ever."""


class Notifier(ABC):
    """Where messages go: raises `NotSent` or `Unclear`, and nothing else for a failure outside. What it can't do
    besides sending, it leaves as it is here."""

    channel: str
    """The channel as the ledger names it; holds no secret."""
    has_threads = False

    @abstractmethod
    def post(self, message: Message, *, thread: str | None = None) -> str | None:
        """Send a message, below another if `thread` names one; return its name there, None if it has none."""

    def find(self, message: str, *, since: datetime, thread: str | None = None) -> str | None:
        """Return the name of the message with this key that was sent after `since`, None if there is none.

        Raises `CannotLook` if that can't be known.
        """
        raise CannotLook("whether a message arrived can't be looked up there: it counts as sent")

    def show_chart(self, ts: str, message: Message, png: bytes) -> str | None:
        """Add its chart to a message that was sent, in place; return what names the file.

        None if there will never be one. May be repeated.
        """
        return None
