"""The Slack on loopback refuses what Slack refuses, asked by Slack's own client."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from tests.slack.server import Fault, Slack

pytestmark = pytest.mark.doubles

CHANNEL = "C0123456789"
TEXT = {"type": "mrkdwn", "text": "x"}


def section(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def client(slack: Slack, token: str | None = None) -> WebClient:
    slack.channel(CHANNEL)
    return WebClient(token=token or slack.token(), base_url=slack.api_url, retry_handlers=[])


def refused(slack: Slack, **message: Any) -> str:
    with pytest.raises(SlackApiError) as said:
        client(slack).chat_postMessage(**{"channel": CHANNEL, **message})
    assert not slack.channel(CHANNEL).messages
    return str(said.value.response["error"])


@pytest.mark.parametrize(
    "block",
    [
        section("x" * 3001),
        section(""),
        section("x", colour="red"),
        {"type": "section"},
        {"type": "section", "fields": [TEXT] * 11},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2001}]},
        {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}},
        {"type": "header", "text": TEXT},
        {"type": "context", "elements": [TEXT] * 11},
        {"type": "image", "image_url": "https://example.org/a.png"},
        {"type": "image", "alt_text": "x", "slack_file": {"id": "F000000009"}},
        {"type": "image", "alt_text": "x", "slack_file": {"id": "nonsense"}},
        {"type": "video"},
        section("x", accessory={"type": "button", "text": {"type": "plain_text", "text": "x" * 76}}),
        section(
            "x",
            accessory={
                "type": "button",
                "text": {"type": "plain_text", "text": "x"},
                "url": "https://" + "x" * 3000,
            },
        ),
    ],
)
def test_blocks_that_slack_refuses(slack: Slack, block: dict[str, Any]) -> None:
    assert refused(slack, text="x", blocks=[block]) == "invalid_blocks"


def test_limits_of_messages(slack: Slack) -> None:
    assert refused(slack) == "no_text"
    assert refused(slack, text="x" * 40_001) == "msg_too_long"
    assert refused(slack, text="x", blocks=[section("x")] * 51) == "invalid_blocks"
    assert refused(slack, text="x", blocks=[section("x" * 2900)] * 5) == "msg_blocks_too_long"
    assert (
        refused(slack, text="x", metadata={"event_type": "a b", "event_payload": {}})
        == "invalid_metadata_schema"
    )
    assert refused(slack, text="x", thread_ts="1.1") == "thread_not_found"
    assert refused(slack, text="x", channel="C9999999999") == "channel_not_found"


def test_tokens_channels_and_scopes(slack: Slack) -> None:
    web = client(slack)
    for error in ("token_revoked", "account_inactive"):
        slack.tokens["xoxb-1-test"].error = error
        with pytest.raises(SlackApiError, match=error):
            web.auth_test()
    with pytest.raises(SlackApiError, match="invalid_auth"):
        client(slack, "xoxb-other").auth_test()
    bare = client(slack, slack.token("xoxb-2", scopes=frozenset({"files:write"})))
    with pytest.raises(SlackApiError) as said:
        bare.chat_postMessage(channel=CHANNEL, text="x")
    assert (said.value.response["needed"], said.value.response["provided"]) == ("chat:write", "files:write")
    slack.tokens["xoxb-1-test"].error = None
    for field, value, error in (("archived", True, "is_archived"), ("member", False, "not_in_channel")):
        setattr(slack.channel(CHANNEL), field, value)
        with pytest.raises(SlackApiError, match=error):
            web.chat_postMessage(channel=CHANNEL, text="x")
        setattr(slack.channel(CHANNEL), field, not value)


def test_history_is_paged_and_shows_metadata_on_request(slack: Slack) -> None:
    web = client(slack)
    for number in range(5):
        metadata = {"event_type": "e", "event_payload": {"n": number}}
        web.chat_postMessage(channel=CHANNEL, text=str(number), metadata=metadata)
    first = web.conversations_history(channel=CHANNEL, limit=3)
    assert [each["text"] for each in first["messages"]] == ["4", "3", "2"]
    assert "event_payload" not in first["messages"][0]["metadata"]
    cursor = first["response_metadata"]["next_cursor"]
    rest = web.conversations_history(channel=CHANNEL, limit=3, cursor=cursor, include_all_metadata=True)
    assert [each["metadata"]["event_payload"]["n"] for each in rest["messages"]] == [1, 0]


def test_only_its_writer_may_edit_a_message(slack: Slack) -> None:
    ts = client(slack).chat_postMessage(channel=CHANNEL, text="x")["ts"]
    with pytest.raises(SlackApiError, match="cant_update_message"):
        client(slack, slack.token("xoxb-2")).chat_update(channel=CHANNEL, ts=ts, text="y")
    with pytest.raises(SlackApiError, match="message_not_found"):
        client(slack).chat_update(channel=CHANNEL, ts="1.1", text="y")


def test_a_file_can_be_shown_once_it_is_complete_and_looked_through(slack: Slack) -> None:
    slack.processing = 1
    web = client(slack)
    file = web.files_upload_v2(file=b"png", filename="a.png")["files"][0]["id"]
    block = {"type": "image", "alt_text": "x", "slack_file": {"id": file}}
    with pytest.raises(SlackApiError, match="invalid slack file"):
        web.chat_postMessage(channel=CHANNEL, text="x", blocks=[block])
    web.chat_postMessage(channel=CHANNEL, text="x", blocks=[block])
    assert slack.files[file].content == b"png"


def test_pace_and_faults(slack: Slack) -> None:
    slack.strict_pace = True
    web = client(slack)
    web.chat_postMessage(channel=CHANNEL, text="x")
    with pytest.raises(SlackApiError) as said:
        web.chat_postMessage(channel=CHANNEL, text="x")
    assert (said.value.response.status_code, said.value.response.headers["Retry-After"]) == (429, "1")
    slack.strict_pace = False
    slack.faults.next(path="chat.postMessage", fault=Fault.after)
    with pytest.raises(OSError):
        web.chat_postMessage(channel=CHANNEL, text="x")
    assert len(slack.channel(CHANNEL).messages) == 2


def test_webhooks(slack: Slack) -> None:
    url = slack.hook(CHANNEL)
    hook = WebhookClient(url, retry_handlers=[])
    assert hook.send(text="x").body == "ok"
    assert (hook.send(text="").status_code, hook.send(text="").body) == (400, "no_text")
    assert hook.send(text="x", blocks=[section("")]).body == "invalid_blocks"
    slack.channel(CHANNEL).archived = True
    assert (hook.send(text="x").status_code, hook.send(text="x").body) == (410, "channel_is_archived")
    gone = WebhookClient(url + "1", retry_handlers=[])
    assert (gone.send(text="x").status_code, gone.send(text="x").body) == (404, "no_service")
