"""A comment's command on the ledger: one event for each comment, and old ledgers read as before."""

from __future__ import annotations

from bot.rules.campaign import fold
from bot.rules.events import CommandGiven, Recorded, from_json, to_json

AT = "2026-03-08T21:00:00.000+00:00"


def test_the_key_is_the_comment_s() -> None:
    first, again = (CommandGiven(number, "pause", source="comment:5") for number in (1, 2))
    assert first.key == again.key == "command:comment:5"
    assert CommandGiven(1, "pause").key == "command:1"
    assert from_json(to_json(first, at=AT, by="x")).event == first


def test_an_older_event_has_no_source() -> None:
    old = {"kind": "command_given", "key": "command:1", "at": AT, "by": "x", "number": 1, "command": "pause"}
    event = from_json(old | {"experiment": None}).event
    assert event == CommandGiven(1, "pause") and event.key == "command:1"


def test_the_campaign_knows_what_was_said_where() -> None:
    events = [CommandGiven(1, "pause"), CommandGiven(2, "revert", 3, "comment:8")]
    campaign = fold([Recorded(event, AT, "x") for event in events])
    assert campaign.said == {"comment:8": events[1]} and campaign.commands == 2
