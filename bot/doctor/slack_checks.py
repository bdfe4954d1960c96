"""Whether Slack can be reached, and what the app may do there. Posts nothing."""

from __future__ import annotations

from collections.abc import Mapping

from bot.config import NotifySettings
from bot.doctor.finding import Finding, amber, green, red
from bot.notify.notifier import NotSent, Unclear

SLACK = "Slack"
_WANTED = {
    "chat:write": "post messages",
    "files:write": "show the chart",
}
_READING = ("channels:history", "groups:history")


def slack(settings: NotifySettings, environ: Mapping[str, str]) -> list[Finding]:
    """Return what is found; nothing if Slack is not set up at all."""
    token, hook = environ.get("SLACK_BOT_TOKEN", ""), environ.get("SLACK_WEBHOOK_URL", "")
    try:
        if token and settings.channel:
            return [_app(token, settings.channel, environ)]
        if hook:
            return [_hook(hook)]
    except (NotSent, Unclear) as error:
        return [amber(SLACK, str(error), "messages wait until it answers")]
    if token:
        fix = "write the channel's ID, such as C0123456789, into slack.channel"
        return [amber(SLACK, "there is a token and no channel", fix)]
    if settings.channel:
        fix = "put the app's bot token into the secret SLACK_BOT_TOKEN"
        return [amber(SLACK, "there is a channel and no token here", fix)]
    return []


def _app(token: str, channel: str, environ: Mapping[str, str]) -> Finding:
    from bot.notify.slack_client import Client, Refused, refusal

    client = Client(token, environ)
    try:
        answer = client.call(lambda web: web.auth_test(), tries=1)
        held = {name.lower(): value for name, value in answer.headers.items()}.get("x-oauth-scopes", "")
        scopes = {scope.strip() for scope in held.split(",") if scope.strip()}
        who = f"{answer['user']} in {answer['team']}"
        if "chat:write" not in scopes:
            return red(
                SLACK, f"{who} may not post messages", "add the scope chat:write and install the app again"
            )
        reads = any(scope in scopes for scope in _READING)
        if reads:
            client.call(lambda web: web.conversations_history(channel=channel, limit=1), tries=1)
    except Refused as refused:
        return red(SLACK, refusal("read the channel", refused.error, refused.answer))
    lacking = [scope for scope in _WANTED if scope not in scopes] + ([] if reads else [_READING[0]])
    if lacking:
        said = f"{who} lacks {', '.join(lacking)}: no chart in messages, or lost answers count as sent"
        return amber(SLACK, said, "add the scopes on the app's page and install the app again")
    return green(SLACK, f"{who} reads and writes {channel}")


def _hook(url: str) -> Finding:
    from bot.notify.slack_client import refusal
    from bot.notify.webhook import SlackWebhook

    said = SlackWebhook(url).probe()
    if said in ("no_text", "invalid_payload"):
        return green(SLACK, "the webhook answers; it has no threads, no chart and no edits")
    return red(SLACK, refusal("post messages", said, {}))
