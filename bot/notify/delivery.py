"""Sends each message once: an intention on the ledger before, the outcome after.

The intention is a lock too: of two who want to send the same message one appends it, the other sees it. Who
finds an intention without an outcome, whose writer is gone, looks in the channel for the message; if that
can't be looked up, it counts as sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bot.ledger import Ledger, now, stamp
from bot.ledger.holder import is_dead
from bot.notify.notifier import CannotLook, Notifier, NotSent, Unclear
from bot.rules.campaign import Campaign
from bot.rules.events import ChartShown, Event, MessageEnded, MessageIntended
from bot.tell.document import Message

PATIENCE = timedelta(minutes=5)  # that a sender has; nobody sends after it
Ending = Literal["sent", "refused", "unknown"]
Outcome = Literal["already", "elsewhere"] | Ending


@dataclass(frozen=True)
class Letter:
    """A message to send: what it covers and between which moments, and how its text is made from that."""

    key: str
    since: str
    upto: str
    covers: tuple[str, ...]
    thread: str | None
    write: Callable[[MessageIntended], Message]
    """Makes the text from the intention alone, so that a second attempt says the same."""


def deliver(ledger: Ledger, notifier: Notifier, letter: Letter) -> Outcome:
    """Send a message unless it was sent. Raises `NotSent`, and `Unclear` if that must be found out later."""
    settle_open(ledger, notifier)
    until = stamp(now() + PATIENCE)

    def intend(campaign: Campaign) -> list[Event]:
        messages = campaign.messages
        if messages.is_told(letter.key) or any(open_.message == letter.key for open_ in messages.open()):
            return []
        before = messages.intended.get(letter.key)
        attempt = before.attempt + 1 if before else 1
        return [
            MessageIntended(
                letter.key, attempt, ledger.writer, until, letter.since, letter.upto, letter.covers,
                notifier.channel, letter.thread,
            )
        ]  # fmt: skip

    messages = ledger.append(intend).messages
    if messages.is_told(letter.key):
        return "already"
    intended = messages.intended[letter.key]
    if intended.holder != ledger.writer or intended.until != until:
        return "elsewhere"  # somebody else is at it
    return _send(ledger, notifier, intended, letter.write(intended))


def settle_open(ledger: Ledger, notifier: Notifier) -> None:
    """Find out what became of messages whose sender is gone; those that were not sent are free again."""
    for intended in ledger.refresh().messages.open():
        alive = intended.holder != ledger.writer and not is_dead(intended.holder)
        if alive and stamp(now()) < intended.until:
            continue
        if intended.channel != notifier.channel:
            _end(
                ledger, intended, "unknown", None, f"it went to {intended.channel}, which is not at hand now"
            )
            continue
        since = datetime.fromisoformat(ledger.refresh().messages.begun_at[intended.message])
        _look(ledger, notifier, intended, since - PATIENCE)


def show_chart(ledger: Ledger, notifier: Notifier, message: Message, draw: Callable[[], bytes]) -> None:
    """Add the chart to a message that was sent, unless it has it. Raises `NotSent` and `Unclear`."""
    messages = ledger.refresh().messages
    ended = messages.ended.get(message.key)
    if message.chart is None or message.key in messages.charts or ended is None or ended.ts is None:
        return
    file = notifier.show_chart(ended.ts, message, draw())
    ledger.append(lambda _: [ChartShown(message.key, file)])


def _send(ledger: Ledger, notifier: Notifier, intended: MessageIntended, message: Message) -> Outcome:
    if stamp(now()) >= intended.until:
        raise Unclear("the message took too long to write: it is sent at the next occasion")
    try:
        ts = notifier.post(message, thread=intended.thread)
    except NotSent as error:
        _end(ledger, intended, "refused", None, str(error))
        raise
    except CannotLook as error:
        return _end(ledger, intended, "unknown", None, str(error))
    except Unclear:
        outcome = _look(ledger, notifier, intended, now() - PATIENCE)
        if outcome == "refused":
            raise NotSent("the message did not reach the channel: it is sent at the next occasion") from None
        return outcome
    return _end(ledger, intended, "sent", ts, "")


def _look(ledger: Ledger, notifier: Notifier, intended: MessageIntended, since: datetime) -> Ending:
    """Find out whether a message arrived after `since`, and write it down."""
    try:
        found = notifier.find(intended.message, since=since, thread=intended.thread)
    except CannotLook as error:
        return _end(ledger, intended, "unknown", None, str(error))
    if found is None:
        return _end(ledger, intended, "refused", None, "it did not reach the channel")
    return _end(ledger, intended, "sent", found, "")


def _end(ledger: Ledger, intended: MessageIntended, outcome: Ending, ts: str | None, why: str) -> Ending:
    event = MessageEnded(intended.message, intended.attempt, outcome, ts, why[:300])

    def make(campaign: Campaign) -> list[Event]:
        newest = campaign.messages.intended.get(intended.message)
        return [event] if newest is not None and newest.attempt == intended.attempt else []

    ledger.append(make)
    return outcome
