"""Slack's methods, as far as messages need them. https://docs.slack.dev/reference/methods"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.slack.rules import MOST_TEXT, Invalid, check_blocks, check_metadata, too_long
from tests.slack.world import Channel, File, Posted, Slack, Token

Values = dict[str, Any]


class Error(Exception):
    """An answer with `ok: false`."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.answer = {"ok": False, "error": error, **more}


def answer(slack: Slack, method: str, values: Values, token: str | None) -> Values:
    """Return what Slack answers to one call."""
    try:
        if method not in METHODS:
            raise Error("unknown_method", req_method=method)
        known = _token(slack, token)
        scope, function = METHODS[method]
        if scope is not None and not scope & known.scopes:
            raise Error("missing_scope", needed=min(scope), provided=",".join(sorted(known.scopes)))
        return {"ok": True, **function(slack, values, token or "")}
    except Error as error:
        return error.answer


def _token(slack: Slack, token: str | None) -> Token:
    if not token:
        raise Error("not_authed")
    known = slack.tokens.get(token)
    if known is None:
        raise Error("invalid_auth")
    if known.error:
        raise Error(known.error)
    return known


def _channel(
    slack: Slack, values: Values, name: str = "channel", *, writing: bool = True
) -> tuple[str, Channel]:
    key = str(values.get(name) or "")
    channel = slack.channels.get(key)
    if channel is None or (channel.private and not channel.member):
        raise Error("channel_not_found")
    if not channel.member:
        raise Error("not_in_channel")
    if channel.archived and writing:
        raise Error("is_archived")
    return key, channel


def _content(slack: Slack, values: Values, token: str) -> tuple[str, list[Any]]:
    """Return text and blocks of a message that Slack takes."""
    text, blocks = str(values.get("text") or ""), values.get("blocks") or []
    if isinstance(blocks, str):
        try:
            blocks = json.loads(blocks)
        except ValueError:
            raise Error("invalid_blocks_format") from None
    if not text and not blocks:
        raise Error("no_text")
    if len(text) > MOST_TEXT:
        raise Error("msg_too_long")

    def has_file(name: str) -> bool:
        file = slack.files.get(name)
        if file is None or not file.complete:
            return False
        file.looks += 1
        return file.looks > slack.processing

    try:
        check_blocks(blocks, has_file)
    except Invalid as invalid:
        said = [f"[ERROR] {invalid}"]
        raise Error("invalid_blocks", errors=[str(invalid)], response_metadata={"messages": said}) from None
    if blocks and too_long(blocks):
        raise Error("msg_blocks_too_long")
    return text, blocks


def _metadata(values: Values) -> Values | None:
    metadata = values.get("metadata")
    if metadata is None:
        return None
    if isinstance(metadata, str):
        metadata = json.loads(metadata)
    if error := check_metadata(metadata):
        raise Error(error)
    return dict(metadata)


def _auth_test(slack: Slack, values: Values, token: str) -> Values:
    return {
        "url": "https://octo.slack.com/", "team": "Octo", "user": "nocturne", "team_id": "T00000001",
        "user_id": "U00000001", "bot_id": "B00000001", "is_enterprise_install": False,
    }  # fmt: skip


def _post(slack: Slack, values: Values, token: str) -> Values:
    name, channel = _channel(slack, values)
    text, blocks = _content(slack, values, token)
    metadata = _metadata(values)
    thread = values.get("thread_ts")
    if thread and not any(posted.ts == thread for posted in channel.messages):
        raise Error("thread_not_found")
    posted = Posted(slack.stamp(), text, blocks, thread or None, metadata, token)
    channel.messages.append(posted)
    return {"channel": name, "ts": posted.ts, "message": _shown(posted, with_metadata=True)}


def _update(slack: Slack, values: Values, token: str) -> Values:
    name, channel = _channel(slack, values)
    posted = next((each for each in channel.messages if each.ts == values.get("ts")), None)
    if posted is None:
        raise Error("message_not_found")
    if posted.by != token:
        raise Error("cant_update_message")
    if slack.update_error:
        raise Error(slack.update_error)
    posted.text, posted.blocks = _content(slack, values, token)
    posted.metadata = _metadata(values) or posted.metadata
    posted.edits += 1
    return {
        "channel": name,
        "ts": posted.ts,
        "text": posted.text,
        "message": _shown(posted, with_metadata=True),
    }


def _history(slack: Slack, values: Values, token: str) -> Values:
    _, channel = _channel(slack, values, writing=False)
    return _listed(
        values, [posted for posted in channel.messages if posted.thread is None], newest_first=True
    )


def _replies(slack: Slack, values: Values, token: str) -> Values:
    _, channel = _channel(slack, values, writing=False)
    parent = str(values.get("ts") or "")
    if not any(posted.ts == parent for posted in channel.messages):
        raise Error("thread_not_found")
    thread = [posted for posted in channel.messages if parent in (posted.ts, posted.thread)]
    return _listed(values, thread, newest_first=False)


def _listed(values: Values, found: list[Posted], *, newest_first: bool) -> Values:
    oldest = float(values.get("oldest") or 0)
    limit = int(values.get("limit") or 100)
    if not 1 <= limit <= 999:
        raise Error("invalid_limit")
    found = [posted for posted in found if float(posted.ts) > oldest]
    ordered = found[::-1] if newest_first else found
    begin = int(values.get("cursor") or 0)
    page = ordered[begin : begin + limit]
    more = begin + limit < len(ordered)
    wanted = str(values.get("include_all_metadata", "")).lower() in ("1", "true")
    return {
        "messages": [_shown(posted, with_metadata=wanted) for posted in page],
        "has_more": more,
        "response_metadata": {"next_cursor": str(begin + limit) if more else ""},
    }


def _shown(posted: Posted, *, with_metadata: bool) -> Values:
    shown: Values = {"type": "message", "ts": posted.ts, "text": posted.text, "blocks": posted.blocks}
    if posted.thread:
        shown["thread_ts"] = posted.thread
    if posted.metadata is not None:
        shown["metadata"] = (
            posted.metadata if with_metadata else {"event_type": posted.metadata["event_type"]}
        )
    return shown


def _upload_url(slack: Slack, values: Values, token: str) -> Values:
    name, length = str(values.get("filename") or ""), int(values.get("length") or 0)
    if not name or length <= 0:
        raise Error("invalid_arguments")
    key = f"F{slack.number():09d}"
    slack.files[key] = File(name, length, alt=str(values.get("alt_txt") or ""))
    return {"upload_url": f"{slack.url}/upload/v1/{key}", "file_id": key}


def _complete(slack: Slack, values: Values, token: str) -> Values:
    files = values.get("files")
    named = json.loads(files) if isinstance(files, str) else files
    if not named:
        raise Error("invalid_arguments")
    for each in named:
        file = slack.files.get(each.get("id", ""))
        if file is None or file.content is None:
            raise Error("file_not_found")
        file.complete, file.title = True, str(each.get("title") or file.name)
    if values.get("channel_id"):
        _, channel = _channel(slack, values, "channel_id")
        thread = values.get("thread_ts") or None
        posted = Posted(slack.stamp(), "", [], thread, None, token, files=[each["id"] for each in named])
        channel.messages.append(posted)
    return {"files": [{"id": each["id"], "title": each.get("title", "")} for each in named]}


Method = Callable[[Slack, Values, str], Values]
_WRITE, _FILES = frozenset({"chat:write"}), frozenset({"files:write"})
_READ = frozenset({"channels:history", "groups:history"})
METHODS: dict[str, tuple[frozenset[str] | None, Method]] = {
    "auth.test": (None, _auth_test),
    "chat.postMessage": (_WRITE, _post),
    "chat.update": (_WRITE, _update),
    "conversations.history": (_READ, _history),
    "conversations.replies": (_READ, _replies),
    "files.getUploadURLExternal": (_FILES, _upload_url),
    "files.completeUploadExternal": (_FILES, _complete),
}


def hook(slack: Slack, path: str, values: Any) -> tuple[int, str]:
    """Return status and body of an incoming webhook's answer.

    https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    """
    name = slack.hooks.get(path)
    if name is None:
        return 404, "no_service"
    if slack.hook_error:
        return {"channel_is_archived": 410, "action_prohibited": 403}.get(
            slack.hook_error, 404
        ), slack.hook_error
    if not isinstance(values, dict):
        return 400, "invalid_payload"
    if slack.channels[name].archived:
        return 410, "channel_is_archived"
    try:
        text, blocks = _content(slack, values, "")
    except Error as error:
        return 400, str(error)
    if any("thread_ts" in key for key in values):
        return 400, "invalid_payload"
    slack.channels[name].messages.append(Posted(slack.stamp(), text, blocks, None, None, "webhook"))
    return 200, "ok"
