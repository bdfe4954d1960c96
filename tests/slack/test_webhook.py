"""Messages by a webhook: at most once, within the limits, and its URL is told to nobody."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from bot.errors import UserError
from bot.notify import webhook as slack_webhook
from bot.notify.notifier import CannotLook, NotSent, Unclear
from bot.notify.webhook import SlackWebhook
from tests.slack.letters import CHANNEL, letter
from tests.slack.server import Fault, Slack


def hook(slack: Slack, waits: list[float] | None = None) -> SlackWebhook:
    return SlackWebhook(slack.hook(CHANNEL), sleep=(waits if waits is not None else []).append)


def test_a_message_without_name(slack: Slack) -> None:
    assert hook(slack).post(letter()) is None
    (posted,) = slack.channel(CHANNEL).messages
    assert posted.blocks[0]["type"] == "header" and posted.text.startswith("val_bpb")


@pytest.mark.parametrize(
    "fault", [Fault.before, Fault.after, Fault.bad_gateway, Fault.reset], ids=lambda f: f.kind
)
def test_a_lost_answer_is_unclear_and_nothing_is_repeated(slack: Slack, fault: Fault) -> None:
    slack.faults.next(fault=fault)
    with pytest.raises(Unclear):
        hook(slack).post(letter())
    assert slack.faults.count == 1


def test_a_silent_slack_is_unclear(slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_webhook, "TIMEOUT", 0.5)
    slack.faults.next(fault=Fault("silence"))
    with pytest.raises(Unclear):
        hook(slack).post(letter())


def test_rate_limits_are_waited_for_within_reason(slack: Slack) -> None:
    waits: list[float] = []
    slack.faults.next(fault=Fault.forbidden(7))
    hook(slack, waits).post(letter())
    assert waits == [7.0] and len(slack.channel(CHANNEL).messages) == 1
    slack.faults.next(fault=Fault.forbidden(900))
    with pytest.raises(NotSent, match="900 s"):
        hook(slack, waits).post(letter())


@pytest.mark.parametrize(
    ("error", "mend"),
    [("channel_is_archived", "unarchive"), ("no_active_hooks", "new one"), ("action_prohibited", "owner")],
)
def test_refusals_name_their_mend_and_no_secret(slack: Slack, error: str, mend: str) -> None:
    sender = hook(slack)
    slack.hook_error = error
    with pytest.raises(NotSent) as said:
        sender.post(letter())
    assert error in str(said.value) and mend in str(said.value) and "/services/" not in str(said.value)


@pytest.mark.parametrize("fault", [Fault("down"), Fault("late")], ids=lambda fault: fault.kind)
def test_unavailable_does_not_mean_that_nothing_happened(slack: Slack, fault: Fault) -> None:
    slack.faults.next(fault=fault)
    with pytest.raises(Unclear, match="503"):
        hook(slack).post(letter())
    assert len(slack.channel(CHANNEL).messages) == fault.spares


def test_gone_is_certain(slack: Slack) -> None:
    sender = hook(slack)
    slack.hooks.clear()
    with pytest.raises(NotSent, match="no_service"):
        sender.post(letter())
    with pytest.raises(NotSent, match="can't be reached"):
        SlackWebhook("http://127.0.0.1:9/services/x").post(letter())
    assert not slack.channel(CHANNEL).messages


def test_too_much_is_said_shorter(slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.slack.rules.MOST_IN_ALL", 10)
    slack_webhook_errors = hook(slack)
    slack_webhook_errors.post(letter())
    assert slack.channel(CHANNEL).messages[0].blocks == []


def test_a_webhook_can_look_nothing_up(slack: Slack) -> None:
    with pytest.raises(CannotLook):
        hook(slack).find("k", since=datetime.now(timezone.utc))
    assert hook(slack).show_chart("1", letter(), b"") is None
    with pytest.raises(UserError, match="SLACK_WEBHOOK_URL: no URL"):
        SlackWebhook("hooks.slack.com/services/secret")
