"""Messages for the tests, and ways to send them."""

from __future__ import annotations

from bot.notify.slack import SlackApp
from bot.tell.document import (
    Document,
    Facts,
    Line,
    Message,
    Paragraph,
    Picture,
    Words,
    bullets,
    heading,
    line_of,
    say,
)
from tests.slack.server import Slack

CHANNEL = "C0123456789"


def letter(key: str = "morning:2026-11-23", *, words: str = "Halve the batch", lines: int = 3) -> Message:
    """Return a message with everything that one can have."""
    line = say("**New best:** {}: {}", Words(words, url="https://example.org/pull/7"), words)
    return Message(
        key=key,
        title="main: the morning of 2026-11-23",
        summary=f"val_bpb 0.99 → 0.97, {words}",
        body=(
            Facts((("Score", line_of("0.99 → 0.97")), ("Merged", line_of(words)))),
            Picture(f"Progress: {words}"),
            *part("Worth reading", (line,) * lines),
            *part(words, (line,)),
            Paragraph(line_of(words), "small"),
        ),
    )


def part(title: str, lines: tuple[Line, ...]) -> Document:
    """Return a heading and lines below it."""
    return (heading(title, 2), *bullets(lines))


def app(slack: Slack, waits: list[float] | None = None, *, token: str | None = None) -> SlackApp:
    """Return the app as it talks to this Slack; what it waits is written down, and not waited."""
    slack.channel(CHANNEL)
    waited = waits if waits is not None else []
    return SlackApp(token or slack.token(), CHANNEL, {"SLACK_API_URL": slack.api_url}, sleep=waited.append)
