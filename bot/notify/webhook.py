"""Slack by an incoming webhook, the smaller mode: no thread, no edit, no image, and nothing can be looked up."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from bot.base.patience import OutOfPatience, Passing, Patience
from bot.config import NotifySettings
from bot.errors import UserError
from bot.notify.notifier import Notifier, NotSent
from bot.notify.slack import forms_of, message_line
from bot.notify.slack_client import (
    LONGEST_WAIT,
    PASSING,
    TIMEOUT,
    TOO_MUCH,
    given_up,
    limited,
    never_left,
    refusal,
)
from bot.tell.document import Message


class SlackWebhook(Notifier):
    """One incoming webhook. Its URL is a secret, and appears nowhere."""

    channel = "webhook"

    def __init__(self, url: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        if not url.startswith(("https://", "http://")) or not urlsplit(url).hostname:
            raise UserError("SLACK_WEBHOOK_URL: no URL: copy it whole from the app's page, Incoming Webhooks")
        self._url = url
        self._patience = Patience(sleep, LONGEST_WAIT)

    def post(self, message: Message, *, thread: str | None = None) -> str | None:
        """Send a message, shorter if Slack wants it so. A webhook's message has no name."""
        said = ""
        for form in forms_of(message):
            said = self._send({"text": message_line(message), **form})
            if said not in TOO_MUCH:
                break
        if said:
            raise NotSent(refusal("post messages", said, {}))
        return None

    def probe(self) -> str:
        """Return Slack's word on a message without any text, which it refuses if the webhook works."""
        return self._send({"text": ""})

    def _send(self, body: dict[str, Any]) -> str:
        """Send once, and again as long as Slack only says that it must wait; return its error, "" for none."""
        try:
            return self._patience.ask(lambda: self._once(body), tries=1, pause=0.0)
        except OutOfPatience as over:
            raise given_up(over) from None

    def _once(self, body: dict[str, Any]) -> str:
        from slack_sdk.webhook import WebhookClient

        client = WebhookClient(self._url, timeout=TIMEOUT, retry_handlers=[], logger=_silent())
        try:
            answer = client.send_dict(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Passing(type(error).__name__, certain=never_left(error)) from None
        said, status = answer.body.strip()[:80], answer.status_code
        if status == 429:
            raise limited(answer.headers)
        if status == 200 and said == "ok":
            return ""
        if status >= 500 or said in PASSING or status == 200:
            raise Passing(f"status {status}")
        return said or f"status {status}"


def open_webhook(settings: NotifySettings, environ: Mapping[str, str]) -> Notifier | None:
    """Return the webhook, if there is one."""
    url = environ.get("SLACK_WEBHOOK_URL", "")
    return SlackWebhook(url) if url else None


def _silent() -> Any:
    import logging

    logger = logging.getLogger("nocturne.slack")
    logger.setLevel(logging.CRITICAL)  # it would print the URL
    return logger
