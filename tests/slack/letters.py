"""Messages for the tests, and ways to send them."""

from __future__ import annotations

from bot.notify.message import Message, Part, Words
from bot.slack.app import SlackApp
from tests.slack.server import Slack

CHANNEL = "C0123456789"


def letter(key: str = "morning:2026-11-23", *, words: str = "Halve the batch", lines: int = 3) -> Message:
    """Return a message with everything that one can have."""
    line = (
        Words("New best: ", bold=True),
        Words(words, url="https://example.org/pull/7"),
        Words(f": {words}"),
    )
    return Message(
        key=key,
        title="main: the morning of 2026-11-23",
        summary=f"val_bpb 0.99 → 0.97, {words}",
        facts=(("Score", "0.99 → 0.97"), ("Merged", words)),
        parts=(Part("Worth reading", (line,) * lines), Part(words, (line,))),
        foot=words,
        chart=f"Progress: {words}",
    )


def app(slack: Slack, waits: list[float] | None = None, *, token: str | None = None) -> SlackApp:
    """Return the app as it talks to this Slack; what it waits is written down, and not waited."""
    slack.channel(CHANNEL)
    waited = waits if waits is not None else []
    return SlackApp(token or slack.token(), CHANNEL, {"SLACK_API_URL": slack.api_url}, sleep=waited.append)
