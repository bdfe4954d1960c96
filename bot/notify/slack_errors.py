"""What Slack says when it refuses, as one line with the mend. https://docs.slack.dev/reference/methods"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TOKEN = "put the bot token of an installed app (xoxb-...) into the secret SLACK_BOT_TOKEN"
_MENDS = {
    "not_authed": _TOKEN,
    "invalid_auth": _TOKEN,
    "token_revoked": _TOKEN,
    "token_expired": _TOKEN,
    "account_inactive": _TOKEN,
    "not_allowed_token_type": _TOKEN,
    "channel_not_found": "mend slack.channel, or invite the app there (/invite) where the channel is private",
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
# The request may have had its effect.
PASSING = frozenset(
    {"internal_error", "fatal_error", "request_timeout", "service_unavailable", "rollup_error"}
)


def refusal(doing: str, error: str, answer: Mapping[str, Any]) -> str:
    """Return what could not be done, why, and the mend."""
    if error == "missing_scope":
        needed = answer.get("needed") or "more"
        return (
            f"Slack does not let the app {doing} (missing_scope): add the scope {needed} on the app's page under"
            " OAuth & Permissions, and install the app again"
        )
    mend = _MENDS.get(error)
    return f"Slack does not let the app {doing} ({error})" + (f": {mend}" if mend else "")
