"""The door to Slack's Web API: bounded in tries and time, and honest about what it does not know."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.base.patience import Limited, OutOfPatience, Passing, Patience, retry_after
from bot.errors import UserError
from bot.notify.notifier import NotSent, Unclear

if TYPE_CHECKING:
    from slack_sdk import WebClient

TRIES = 3
PAUSE = 1.0  # seconds before the second try; it doubles
LONGEST_WAIT = 60.0  # seconds in sum that rate limits may hold us up; what waits longer is sent later
TIMEOUT = 15


class Refused(Exception):
    """Slack's no: nothing was done. `error` is its word, `answer` all that it said."""

    def __init__(self, error: str, answer: Mapping[str, Any]) -> None:
        super().__init__(error)
        self.error = error
        self.answer = answer


class Client:
    """Calls of one bot token."""

    def __init__(
        self, token: str, environ: Mapping[str, str], *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._token = token
        self._url = environ.get("SLACK_API_URL") or "https://slack.com/api/"
        self._patience = Patience(sleep, LONGEST_WAIT)
        if not self._url.startswith(("https://", "http://")) or not urlsplit(self._url).hostname:
            raise UserError("SLACK_API_URL: no URL: write it as https://slack.com/api/")

    def call(
        self,
        method: Callable[[WebClient], Any],
        *,
        look: Callable[[], Any] | None = None,
        tries: int = TRIES,
    ) -> Any:
        """Return what `method` returns, called with Slack's own client.

        If it stays open whether it had its effect, `look` is asked before it is repeated: what it returns is
        the answer, unless it is None. A method without `look` must bear repeating. Raises `Refused`, `NotSent`
        if Slack did nothing and may want us later, and `Unclear` if it gives no answer.
        """
        try:
            return self._patience.ask(lambda: self._once(method), tries=tries, pause=PAUSE, look=look)
        except OutOfPatience as over:
            raise given_up(over) from None

    def _once(self, method: Callable[[WebClient], Any]) -> Any:
        import http.client
        import logging

        from slack_sdk import WebClient
        from slack_sdk.errors import SlackApiError, SlackClientError

        silent = logging.getLogger("nocturne.slack")
        silent.setLevel(logging.CRITICAL)  # its errors are ours to word, and it prints requests
        client = WebClient(
            token=self._token, base_url=self._url, timeout=TIMEOUT, retry_handlers=[], logger=silent
        )
        try:
            return method(client)
        except SlackApiError as error:
            raise _sorted(error.response) from None
        except SlackClientError as error:  # an upload's own request
            raise Passing(type(error).__name__) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Passing(type(error).__name__, certain=never_left(error)) from None


def never_left(error: BaseException) -> bool:
    """Whether a request failed before it can have reached anybody: no connection, no such host."""
    import socket

    reason = getattr(error, "reason", error)
    return isinstance(reason, ConnectionRefusedError | socket.gaierror)


def limited(headers: Mapping[str, str]) -> Limited:
    """Return how long Slack's `Retry-After` wants us to wait, half a minute if it says nothing."""
    seconds = retry_after(headers)
    return Limited(30.0 if seconds is None else seconds)


def given_up(over: OutOfPatience) -> Exception:
    """Return what it means that Slack is not asked again."""
    if isinstance(over.failure, Limited):
        return NotSent(f"Slack wants us to wait for {over.failure.seconds:.0f} s: it is tried again later")
    if over.failure.certain:
        return NotSent(f"Slack can't be reached ({over}): it is tried again later")
    return Unclear(f"Slack does not answer ({over}): https://status.slack.com tells of outages")


def _sorted(response: Any) -> Exception:
    """Return what an answer other than `ok` means."""
    status, data = response.status_code, response.data
    answer = data if isinstance(data, dict) else {}
    error = str(answer.get("error", f"status {status}"))
    if status == 429 or error in ("ratelimited", "rate_limited"):
        return limited(response.headers)
    if status >= 500 or error in PASSING or status != 200 or " " in error:
        return Passing(f"status {status}" if status != 200 else error.split(":")[0])
    return Refused(error, answer)


_TOKEN = "put the bot token of an installed app (xoxb-...) into the secret SLACK_BOT_TOKEN"
_FIXES = {
    "not_authed": _TOKEN,
    "invalid_auth": _TOKEN,
    "token_revoked": _TOKEN,
    "token_expired": _TOKEN,
    "account_inactive": _TOKEN,
    "not_allowed_token_type": _TOKEN,
    "channel_not_found": "fix slack.channel, or invite the app there (/invite) if the channel is private",
    "not_in_channel": "invite the app to the channel (/invite)",
    "is_archived": "unarchive the channel, or name another one under slack.channel",
    "channel_is_archived": "unarchive the channel, or make a webhook for another one",
    "restricted_action": "a workspace's owner must let apps post there",
    "no_service": "the webhook is gone: make a new one and put its URL into SLACK_WEBHOOK_URL",
    "no_active_hooks": "the webhook is switched off: make a new one and put its URL into SLACK_WEBHOOK_URL",
    "invalid_token": "the webhook is gone: make a new one and put its URL into SLACK_WEBHOOK_URL",
    "no_team": "the webhook is gone: make a new one and put its URL into SLACK_WEBHOOK_URL",
    "action_prohibited": "a workspace's owner must let webhooks post there",
    "posting_to_general_channel_denied": "name another channel",
}
# Of the message, not of the way there: said again shorter.
TOO_MUCH = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "invalid_payload"}
)
# The request may have had its effect, as with each status from 500 on, a 503 too: "It's possible some aspect of the
# operation succeeded before the error was raised", https://docs.slack.dev/reference/methods/chat.postMessage
PASSING = frozenset(
    {"internal_error", "fatal_error", "request_timeout", "service_unavailable", "rollup_error"}
)


def refusal(doing: str, error: str, answer: Mapping[str, Any]) -> str:
    """Return what could not be done, why, and the fix."""
    if error == "missing_scope":
        needed = answer.get("needed") or "more"
        return (
            f"Slack does not let the app {doing} (missing_scope): add the scope {needed} on the app's page under"
            " OAuth & Permissions, and install the app again"
        )
    fix = _FIXES.get(error)
    return f"Slack does not let the app {doing} ({error})" + (f": {fix}" if fix else "")
