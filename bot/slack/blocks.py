"""A message as Block Kit, within all of Slack's limits: what is too long is shortened, never refused.

https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bot.notify.message import Message, Part
from bot.slack.mrkdwn import mrkdwn_line, mrkdwn_text
from bot.text import one_line

Block = dict[str, Any]

HEADER, SECTION, FIELD, FIELDS, ALT, BLOCKS = 150, 3000, 2000, 10, 2000, 50
# All blocks of a message together, as JSON. Documented nowhere; messages were refused from about 13,000 on
# (https://github.com/slackapi/bolt-js/issues/2509).
TOTAL = 12_000
SUMMARY = 300


@dataclass(frozen=True)
class Size:
    """How much is shown: characters of a piece of text, and lines of a part."""

    text: int
    lines: int


# From generous to bare; the first that fits is taken.
SIZES = (Size(400, 12), Size(280, 10), Size(180, 8), Size(120, 6), Size(80, 4), Size(60, 2))


def blocks(message: Message, *, image: str | None = None, smallest: bool = False) -> list[Block]:
    """Return the blocks of a message, with the file `image` where its chart is uploaded.

    With `smallest` as short as it gets, for a Slack that refuses more.
    """
    made: list[Block] = []
    for size in SIZES[-1:] if smallest else SIZES:
        made = _blocks(message, size, image)
        if len(made) <= BLOCKS and length(made) <= TOTAL:
            return made
    return made[: BLOCKS // 2]


def length(made: list[Block]) -> int:
    """Return how long blocks are as Slack counts them, as far as anybody knows."""
    return len(json.dumps(made, ensure_ascii=False, separators=(",", ":")))


def fallback(message: Message) -> str:
    """Return the one line that notifications show, and clients without blocks."""
    return mrkdwn_text(message.summary or message.title, SUMMARY) or "Nocturne"


def _blocks(message: Message, size: Size, image: str | None) -> list[Block]:
    made: list[Block] = [
        {"type": "header", "text": _plain(message.title, HEADER)},
        _section(f"*{mrkdwn_text(message.summary, SUMMARY)}*"),
    ]
    if message.facts:
        fields = [
            _mrkdwn(f"*{mrkdwn_text(name, 60)}*\n{mrkdwn_text(value, 120)}")
            for name, value in message.facts[:FIELDS]
        ]
        made.append({"type": "section", "fields": fields})
    if image is not None:
        made.append({"type": "image", "slack_file": {"id": image}, "alt_text": _alt(message)})
    for part in message.parts:
        made += _part(part, size)
    if message.foot:
        made.append({"type": "context", "elements": [_mrkdwn(mrkdwn_text(message.foot, 400))]})
    return made


def _part(part: Part, size: Size) -> list[Block]:
    """Return a part as one section; lines that do not fit are counted."""
    text = f"*{mrkdwn_text(part.heading, 100)}*"
    room = SECTION - 60  # for the word on what is left out
    for number, line in enumerate(part.lines):
        said = f"\n• {mrkdwn_line(line, size.text)}"
        if number >= size.lines or len(text) + len(said) > room:
            text += f"\n_and {len(part.lines) - number} more_"
            break
        text += said
    return [_section(text)]


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, Any]:
    # Verbatim: nothing in it becomes a link or a mention by itself.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": one_line(text, limit) or "Nocturne", "emoji": False}


def _alt(message: Message) -> str:
    return one_line(message.chart or message.title, ALT)
