"""Events of what was told to people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from bot.rules.events.registry import event

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign


@event
@dataclass(frozen=True)
class MessageIntended:
    """`holder` is about to send a message, until the time `until`: written before, so that it is sent once.

    `message` names it (`morning:2026-11-23`, `night:2026-11-22:1`), `covers` the notices that it carries. Its
    content is what was known between `since` and `upto`. `thread` is the message that it answers.
    """

    kind: ClassVar[str] = "message_intended"
    message: str
    attempt: int
    holder: str
    until: str
    since: str
    upto: str
    covers: tuple[str, ...]
    channel: str
    thread: str | None = None

    @property
    def key(self) -> str:
        return f"message:{self.message}:{self.attempt}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.messages.intend(self, at)


@event
@dataclass(frozen=True)
class MessageEnded:
    """What became of an attempt: `sent` (as `ts` in its channel), `refused` (nothing was sent), or `unknown`
    where nobody can find out; it is not sent again then."""

    kind: ClassVar[str] = "message_ended"
    message: str
    attempt: int
    outcome: Literal["sent", "refused", "unknown"]
    ts: str | None
    why: str

    @property
    def key(self) -> str:
        return f"message_ended:{self.message}:{self.attempt}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.messages.end(self, at)


@event
@dataclass(frozen=True)
class ChartShown:
    """A message that was sent shows its chart, or never will (`file` is None then)."""

    kind: ClassVar[str] = "chart_shown"
    message: str
    file: str | None

    @property
    def key(self) -> str:
        return f"chart:{self.message}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.messages.charts[self.message] = self.file
