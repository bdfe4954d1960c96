"""Slack by a bot token: messages in threads, found again by their metadata, with the chart as an image."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from bot.config import NotifySettings
from bot.notify.notifier import CannotLook, Notifier, NotSent
from bot.notify.slack_client import TOO_MUCH, Client, Refused, refusal
from bot.tell.document import Message
from bot.tell.writers import slack

EVENT = "nocturne_message"  # the metadata's type
_PAGES, _PER_PAGE = 10, 200
# Slack looks through a file for a while before a message may show it; these are the seconds between tries.
_UNTIL_SHOWN = (1.0, 2.0, 4.0, 8.0)
_NO_CHART = ("missing_scope", "message_not_found", "cant_update_message", "edit_window_closed")


def message_line(message: Message) -> str:
    """Return the one line that notifications show, and clients without blocks."""
    return slack.escape(message.summary or message.title, slack.SUMMARY) or "Nocturne"


def _marked(message: Message) -> dict[str, Any]:
    """Return the metadata by which a message is found again."""
    return {"event_type": EVENT, "event_payload": {"key": message.key}}


def forms_of(message: Message) -> Iterator[dict[str, Any]]:
    """Yield what stands beside the one line: the message, its shortest form, nothing."""
    yield {"blocks": slack.write(message.document())}
    yield {"blocks": slack.write(message.document(), smallest=True)}
    yield {}


class SlackApp(Notifier):
    """An app with a bot token, in one channel (its ID)."""

    has_threads = True

    def __init__(
        self,
        token: str,
        channel: str,
        environ: Mapping[str, str],
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.channel = f"slack:{channel}"
        self._id = channel
        self._sleep = sleep
        self.client = Client(token, environ, sleep=sleep)

    def post(self, message: Message, *, thread: str | None = None) -> str | None:
        """Send a message; if Slack finds it too long after all, its shortest form, then its one line."""
        since = time.time()
        for form in forms_of(message):
            try:
                return self._post(message, form, thread, since)
            except Refused as refused:
                last = refused
                if refused.error not in TOO_MUCH:
                    break
        raise NotSent(refusal("post messages", last.error, last.answer)) from None

    def _post(self, message: Message, form: Mapping[str, Any], thread: str | None, since: float) -> str:
        def look() -> str | None:
            try:
                return self._find(message.key, since - 60, thread)
            except CannotLook:
                return ""  # better once too few than once too many

        answer = self.client.call(
            lambda web: web.chat_postMessage(
                channel=self._id,
                text=message_line(message),
                thread_ts=thread,
                metadata=_marked(message),
                unfurl_links=False,
                unfurl_media=False,
                **form,
            )["ts"],
            look=look,
        )
        if answer == "":
            raise self._blind()
        return str(answer)

    def find(self, message: str, *, since: datetime, thread: str | None = None) -> str | None:
        """Return the message's timestamp, by which Slack names it."""
        return self._find(message, since.timestamp(), thread)

    def _find(self, key: str, since: float, thread: str | None) -> str | None:
        cursor = ""
        for _ in range(_PAGES):
            page = self._page(since, thread, cursor)
            for posted in page["messages"]:
                held = posted.get("metadata") or {}
                if held.get("event_type") == EVENT and held.get("event_payload", {}).get("key") == key:
                    return str(posted["ts"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                break
        return None

    def _page(self, since: float, thread: str | None, cursor: str) -> Any:
        how: dict[str, Any] = {
            "channel": self._id,
            "oldest": f"{since:.6f}",
            "include_all_metadata": True,
            "limit": _PER_PAGE,
            "cursor": cursor or None,
        }
        try:
            if thread is not None:
                return self.client.call(lambda web: web.conversations_replies(ts=thread, **how))
            return self.client.call(lambda web: web.conversations_history(**how))
        except Refused as refused:
            raise CannotLook(refusal("read the channel", refused.error, refused.answer)) from None

    def show_chart(self, ts: str, message: Message, png: bytes) -> str | None:
        """Upload the chart and put it into the message; into its thread if Slack shows no file in messages."""
        name = f"{message.key.replace(':', '-')}.png"
        title = (message.chart or name)[:200]
        try:
            uploaded = self.client.call(
                lambda web: web.files_upload_v2(file=png, filename=name, title=title, alt_txt=title)
            )
            file = str(uploaded["files"][0]["id"])
            if self._put_in(ts, message, file):
                return file
            self.client.call(
                lambda web: web.files_completeUploadExternal(
                    files=[{"id": file, "title": title}], channel_id=self._id, thread_ts=ts
                )
            )
        except Refused as refused:
            if refused.error in _NO_CHART:
                return None
            raise NotSent(refusal("upload the chart", refused.error, refused.answer)) from None
        return file

    def _put_in(self, ts: str, message: Message, file: str) -> bool:
        for pause in (*_UNTIL_SHOWN, None):
            try:
                self.client.call(
                    lambda web: web.chat_update(
                        channel=self._id,
                        ts=ts,
                        text=message_line(message),
                        blocks=slack.write(message.document(file)),
                        metadata=_marked(message),
                    )
                )
                return True
            except Refused as refused:
                if refused.error not in TOO_MUCH:
                    raise
            if pause is not None:
                self._sleep(pause)
        return False

    def _blind(self) -> CannotLook:
        return CannotLook(
            "Slack gave no answer and the app may not read the channel: the message counts as sent; the scope"
            " channels:history (groups:history for a private channel) lets it look"
        )


def open_app(settings: NotifySettings, environ: Mapping[str, str]) -> Notifier | None:
    """Return the app, if there is a token for it and a channel."""
    token = environ.get("SLACK_BOT_TOKEN", "")
    return SlackApp(token, settings.channel, environ) if token and settings.channel else None
