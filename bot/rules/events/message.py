"""Events of what was told to people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bot.rules.events.registry import Event, event

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign


@event("message_intended", "message:{message}:{attempt}")
@dataclass(frozen=True)
class MessageIntended(Event):
    """`holder` is about to send a message, until the time `until`: written before, so that it is sent once.

    `message` names it (`morning:2026-11-23`, `night:2026-11-22:1`), `covers` the notices that it carries. Its
    content is what was known between `since` and `upto`. `thread` is the message that it answers.
    """

    message: str
    attempt: int
    holder: str
    until: str
    since: str
    upto: str
    covers: tuple[str, ...]
    channel: str
    thread: str | None = None

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.messages.intend(self, at)


@event("message_ended", "message_ended:{message}:{attempt}")
@dataclass(frozen=True)
class MessageEnded(Event):
    """What became of an attempt: `sent` (as `ts` in its channel), `refused` (nothing was sent), or `unknown`
    if nobody can find out; it is not sent again then."""

    message: str
    attempt: int
    outcome: Literal["sent", "refused", "unknown"]
    ts: str | None
    why: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.messages.end(self, at)


@event("chart_shown", "chart:{message}")
@dataclass(frozen=True)
class ChartShown(Event):
    """A message that was sent shows its chart, or never will (`file` is None then)."""

    message: str
    file: str | None

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.messages.charts[self.message] = self.file
