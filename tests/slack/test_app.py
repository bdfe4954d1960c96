"""Messages by a bot token: once, whatever fails, within Slack's limits, and with a mend for each refusal."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from bot.errors import UserError
from bot.notify import slack_client as slack_client
from bot.notify.notifier import CannotLook, NotSent, Unclear
from bot.tell.document import Facts, Message, Paragraph, Picture, Words, line_of
from bot.tell.writers.slack import length
from tests.bot.campaigns import HOSTILE
from tests.bot.telling import blocks
from tests.slack.letters import CHANNEL, app, letter, part
from tests.slack.server import Fault, Slack

PNG = b"\x89PNG..."
FAULTS = (
    Fault.before, Fault.after, Fault.bad_gateway, Fault.reset, Fault.forbidden(2), Fault("down"), Fault("late")
)  # fmt: skip


def long_ago() -> datetime:
    return datetime.now(timezone.utc) - timedelta(hours=1)


def test_a_message_and_its_reply(slack: Slack) -> None:
    sender = app(slack)
    ts = sender.post(letter())
    below = sender.post(letter("night:2026-11-22:1"), thread=ts)
    first, second = slack.channel(CHANNEL).messages
    assert (first.ts, first.thread, second.ts, second.thread) == (ts, None, below, ts)
    assert [block["type"] for block in first.blocks] == [
        "header",
        "section",
        "section",
        "section",
        "section",
        "context",
    ]
    assert sender.find("morning:2026-11-23", since=long_ago()) == ts
    assert sender.find("night:2026-11-22:1", since=long_ago(), thread=ts) == below
    assert sender.find("night:2026-11-22:2", since=long_ago(), thread=ts) is None


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
@pytest.mark.parametrize("again", [1, 2])
def test_a_message_stands_there_once_whatever_fails(slack: Slack, fault: Fault, again: int) -> None:
    waits: list[float] = []
    sender = app(slack, waits)
    for _ in range(again):
        slack.faults.next(path="chat.postMessage", fault=fault)
    ts = sender.post(letter())
    posted = slack.channel(CHANNEL).messages
    assert [each.ts for each in posted] == [ts]
    if fault.kind == "forbidden":
        assert waits == [2.0] * again


def test_an_answer_that_never_comes_is_found_out(slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_client, "TIMEOUT", 0.5)
    slack.faults.next(path="chat.postMessage", fault=Fault("silence"))
    assert app(slack).post(letter()) == slack.channel(CHANNEL).messages[0].ts


def test_what_stays_unclear_is_said_so(slack: Slack) -> None:
    sender = app(slack)
    for _ in range(20):
        slack.faults.next(fault=Fault.before)
    with pytest.raises(Unclear, match="does not answer"):
        sender.post(letter())
    assert not slack.channel(CHANNEL).messages


def test_no_connection_at_all_is_certain(slack: Slack) -> None:
    sender = app(slack)
    sender.client._url = "http://127.0.0.1:9/api/"
    with pytest.raises(NotSent, match="can't be reached"):
        sender.post(letter())


def test_without_the_scope_to_look_a_lost_answer_counts_as_sent(slack: Slack) -> None:
    token = slack.token("xoxb-blind", scopes=frozenset({"chat:write"}))
    slack.faults.next(path="chat.postMessage", fault=Fault.after)
    with pytest.raises(CannotLook, match="channels:history"):
        app(slack, token=token).post(letter())
    assert len(slack.channel(CHANNEL).messages) == 1


def test_a_long_wait_is_not_waited(slack: Slack) -> None:
    waits: list[float] = []
    slack.faults.next(path="chat.postMessage", fault=Fault.forbidden(600))
    with pytest.raises(NotSent, match="600 s"):
        app(slack, waits).post(letter())
    assert waits == []


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        ("token_revoked", "SLACK_BOT_TOKEN"), ("account_inactive", "SLACK_BOT_TOKEN"),
        ("invalid_auth", "SLACK_BOT_TOKEN"), ("is_archived", "unarchive"), ("not_in_channel", "/invite"),
        ("channel_not_found", "slack.channel"), ("missing_scope", "add the scope chat:write"),
    ],
)  # fmt: skip
def test_each_refusal_names_its_mend(slack: Slack, error: str, mend: str) -> None:
    sender = app(slack)
    channel, token = slack.channel(CHANNEL), slack.tokens["xoxb-1-test"]
    channel.archived = error == "is_archived"
    channel.member = error != "not_in_channel"
    channel.private = False
    if error == "channel_not_found":
        slack.channels.clear()
    elif error == "missing_scope":
        token.scopes = frozenset()
    elif error not in ("is_archived", "not_in_channel"):
        token.error = error
    with pytest.raises(NotSent) as said:
        sender.post(letter())
    assert error in str(said.value) and mend in str(said.value)
    assert "xoxb" not in str(said.value).replace("xoxb-...", "")
    assert len(slack.made("chat.postMessage")) == 1


# Limits


@pytest.mark.parametrize("lines", [0, 1, 12, 40, 400])
@pytest.mark.parametrize("text", ["x", "word " * 80, "&<>" * 500, "学" * 3000, "*_`~:" * 300])
def test_a_message_that_would_break_a_limit_is_shortened(slack: Slack, lines: int, text: str) -> None:
    line = (Words(text, "strong", "https://example.org/" + "p" * 600), Words(text))
    facts, foot = Facts(((text, line_of(text)),) * 14), Paragraph(line_of(text), "small")
    message = Message("k", text, text, (facts, Picture(text), *part(text, (line,) * lines) * 8, foot))
    app(slack).post(message)
    (posted,) = slack.channel(CHANNEL).messages
    assert length(posted.blocks) <= 12_000 and len(slack.made("chat.postMessage")) == 1
    if lines == 400:
        assert sum("more_" in str(block) for block in posted.blocks) == 8


def test_where_slack_refuses_more_the_shortest_form_is_sent(
    slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.slack.rules.MOST_IN_ALL", 3500)
    app(slack).post(letter(words="w" * 300, lines=30))
    assert len(slack.made("chat.postMessage")) == 2 and slack.channel(CHANNEL).messages[0].blocks
    monkeypatch.setattr("tests.slack.rules.MOST_IN_ALL", 10)
    app(slack).post(letter("other", words="w" * 300))
    last = slack.channel(CHANNEL).messages[1]
    assert last.blocks == [] and last.text.startswith("val_bpb 0.99 → 0.97, w")


def test_hostile_words_are_shown_and_do_nothing(slack: Slack) -> None:
    corpus = (
        *HOSTILE, "<!channel> <!here|x> <@U012AB3CD> <#C012AB3CD> <!subteam^S1> <!date^1^{date}|x>",
        "@channel @here :skull: *b* _i_ ~s~ `c` ```x```", "<https://evil.example|click> mailto:a@evil.example",
        "> quote", "https://evil.example www.evil.example", "&amp;lt;!channel&gt;",
    )  # fmt: skip
    for number, words in enumerate(corpus):
        app(slack).post(letter(f"k{number}", words=words))
    for words, posted in zip(corpus, slack.channel(CHANNEL).messages, strict=True):
        texts = [posted.text]
        for block in posted.blocks:
            for text in [block.get("text"), *block.get("fields", []), *block.get("elements", [])]:
                if text is not None:
                    texts.append(text["text"])
                    assert text["type"] == "plain_text" or text["verbatim"] is True
        for text in texts:
            links = text.replace("<https://example.org/pull/7|", "")
            assert "<" not in links and "<!" not in text and "<@" not in text, words
            assert "https://evil" not in text and "www.evil" not in text and "@c" not in text, words
            assert ":skull:" not in text and "\x1b" not in text and "\u202e" not in text, words
        own = ["*New best:* ", "*Worth reading*", "*Score*", "*Merged*"]
        body = posted.blocks[3]["text"]["text"]
        for mark in own:
            body = body.replace(mark, "")
        assert "*" not in body and "`" not in body and "~" not in body, words


# The chart


def test_the_chart_is_put_into_the_message(slack: Slack) -> None:
    slack.processing = 2
    waits: list[float] = []
    sender = app(slack, waits)
    ts = sender.post(letter())
    assert ts is not None
    file = sender.show_chart(ts, letter(), PNG)
    (posted,) = slack.channel(CHANNEL).messages
    (image,) = [block for block in posted.blocks if block["type"] == "image"]
    assert image["slack_file"] == {"id": file} and image["alt_text"] == "Progress: Halve the batch"
    assert slack.files[str(file)].content == PNG and waits == [1.0, 2.0]
    assert sender.find("morning:2026-11-23", since=long_ago()) == ts  # an edit keeps the metadata


def test_a_file_that_slack_never_shows_goes_into_the_thread(slack: Slack) -> None:
    slack.processing = 99
    sender = app(slack)
    ts = sender.post(letter())
    assert ts is not None
    file = sender.show_chart(ts, letter(), PNG)
    first, second = slack.channel(CHANNEL).messages
    assert first.edits == 0 and (second.thread, second.files) == (ts, [file])


@pytest.mark.parametrize(
    "path", ["files.getUploadURLExternal", "upload", "files.completeUploadExternal", "chat.update"]
)
@pytest.mark.parametrize("fault", [Fault.before, Fault.after, Fault.reset], ids=lambda fault: fault.kind)
def test_a_chart_whose_way_breaks_is_there_in_the_end_once(slack: Slack, path: str, fault: Fault) -> None:
    sender = app(slack)
    ts = sender.post(letter())
    assert ts is not None
    slack.faults.next(path=path, fault=fault)
    file = sender.show_chart(ts, letter(), PNG)
    (posted,) = slack.channel(CHANNEL).messages
    assert [block["slack_file"] for block in posted.blocks if block["type"] == "image"] == [{"id": file}]
    assert slack.faults.pending == 0


@pytest.mark.parametrize("error", ["cant_update_message", "edit_window_closed"])
def test_a_chart_that_may_not_be_shown_is_left_out(slack: Slack, error: str) -> None:
    sender = app(slack)
    ts = sender.post(letter())
    assert ts is not None
    slack.update_error = error
    assert sender.show_chart(ts, letter(), PNG) is None


def test_without_the_scope_there_is_no_chart(slack: Slack) -> None:
    token = slack.token("xoxb-2", scopes=frozenset({"chat:write"}))
    sender = app(slack, token=token)
    ts = sender.post(letter())
    assert ts is not None and sender.show_chart(ts, letter(), PNG) is None


def test_an_address_that_is_none_is_refused(slack: Slack) -> None:
    from bot.notify.slack import SlackApp

    with pytest.raises(UserError, match="SLACK_API_URL"):
        SlackApp("x", CHANNEL, {"SLACK_API_URL": "file:///etc/passwd"})


def test_blocks_need_no_slack() -> None:
    assert blocks(letter())[0]["text"]["text"] == "main: the morning of 2026-11-23"
