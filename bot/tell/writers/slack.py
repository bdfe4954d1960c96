"""Slack's Block Kit and its mrkdwn, within all of Slack's limits: what is too long is shortened, never refused.

https://docs.slack.dev/reference/block-kit/blocks
https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from bot.base.text import disarmed, one_line, web_address
from bot.tell.document import (
    Bullets,
    Document,
    Facts,
    Heading,
    Line,
    Paragraph,
    Picture,
    Table,
    Words,
    say,
    spaced,
)

Block = dict[str, Any]

HEADER, SECTION, FIELD, FIELDS, ALT, BLOCKS = 150, 3000, 2000, 10, 2000, 50
# All blocks of a message together, as JSON. Documented nowhere; messages were refused from about 13,000 on
# (https://github.com/slackapi/bolt-js/issues/2509).
TOTAL = 12_000
SUMMARY = 300
_JOINER = "\u200d"
# Slack has no way to escape its marks: they are replaced by signs that look alike. An underscore within a word
# is no mark. `:name:` would be shown as an emoji; a quote begins with `>` at the start of a line.
_ALIKE = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "\u02cb"})
_BAR = "\u2223"  # for the one that parts a link from its words
_EMPHASIS = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_EMOJI = re.compile(r":(?=[a-z0-9_+'-]+:)", re.IGNORECASE)


@dataclass(frozen=True)
class Size:
    """How much is shown: characters of a piece of text, and lines of a list."""

    text: int
    lines: int


# From generous to bare; the first that fits is taken.
SIZES = (Size(400, 12), Size(280, 10), Size(180, 8), Size(120, 6), Size(80, 4), Size(60, 2))


def write(document: Document, *, smallest: bool = False) -> list[Block]:
    """Return the blocks of a document, in which the path of a picture is the ID of an uploaded file.

    With `smallest` as short as it gets, for a Slack that refuses more.
    """
    made: list[Block] = []
    for size in SIZES[-1:] if smallest else SIZES:
        made = _blocks(document, size)
        if len(made) <= BLOCKS and length(made) <= TOTAL:
            return made
    return made[: BLOCKS // 2]


def length(made: list[Block]) -> int:
    """Return how long blocks are as Slack counts them, as far as anybody knows."""
    return len(json.dumps(made, ensure_ascii=False, separators=(",", ":")))


def escape(text: str, limit: int | None = None) -> str:
    """Return `text` as one line of mrkdwn that shows what was written and does nothing.

    At most `limit` characters of it are shown, and the result is never longer than twice that.
    """
    line = one_line(text, limit)
    while True:
        said = _EMPHASIS.sub("\u02cd", disarmed(line.translate(_ALIKE)))
        said = _EMOJI.sub(f":{_JOINER}", said)
        said = said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        if limit is None or len(said) <= 2 * limit:
            return said
        line = one_line(line, len(line) * 3 // 4)


def line(of: Line, limit: int) -> str:
    """Return a line of a document; at most `limit` characters of each piece are shown."""
    return "".join(_words(words, min(limit, words.limit)) for words in of)


def _words(words: Words, limit: int) -> str:
    said = escape(words.text, limit)
    url = web_address(words.url)
    if url and len(url) <= 500 and said:
        said = f"<{url.replace('&', '&amp;')}|{said.replace('|', _BAR)}>"
    mark = {"strong": "*", "soft": "_", "code": "`"}.get(words.look, "") if said else ""
    return spaced(words.text, f"{mark}{said}{mark}")


def _blocks(document: Document, size: Size) -> list[Block]:
    made: list[Block] = []
    part = ""  # the section in hand: a heading and what stands below it
    for block in document:
        match block:
            case Bullets() | Table():
                made += [] if part else [_section("")]
                made[-1] = _section(_listed(block, made[-1]["text"]["text"], size))
            case Heading(level=1):
                text = "".join(words.text for words in block.line)
                made.append({"type": "header", "text": _plain(text, HEADER)})
            case Heading():
                made.append(_section(f"*{line(block.line, 100)}*"))
            case Paragraph(kind="small"):
                made.append({"type": "context", "elements": [_mrkdwn(line(block.line, size.text))]})
            case Paragraph():
                made.append(_section(line(block.line, SUMMARY)))
            case Facts():
                pairs = ((escape(name, 60), line(value, 120)) for name, value in block.pairs[:FIELDS])
                fields = [_mrkdwn(f"*{name}*\n{value}") for name, value in pairs]
                made.append({"type": "section", "fields": fields})
            case Picture(path=str() as file):
                alt = one_line(block.shows, ALT) or "A chart"
                made.append({"type": "image", "slack_file": {"id": file}, "alt_text": alt})
            case _:
                pass  # code and curves are looked at where the change is
        part = "part" if isinstance(block, Heading) and block.level > 1 else ""
    return [block for block in made if not _is_empty(block)]


def _is_empty(block: Block) -> bool:
    """Whether nothing of a block is seen: for one such, Slack would refuse the whole message."""
    texts = [block["text"]] if "text" in block else block.get("elements", ())
    return bool(texts) and not any(each["text"].strip() for each in texts)


def _listed(block: Bullets | Table, head: str, size: Size) -> str:
    """Return a list below its heading; lines that do not fit are counted."""
    lines = block.lines if isinstance(block, Bullets) else [_row(row) for row in block.rows]
    room = SECTION - 60  # for the word on what is left out
    text = head
    for number, each in enumerate(lines):
        said = f"\n• {line(each, size.text)}"
        if number >= size.lines or len(text) + len(said) > room:
            return f"{text}\n_and {len(lines) - number} more_".strip()
        text += said
    return text.strip()


def _row(cells: tuple[Line, ...]) -> Line:
    return tuple(words for cell in cells if cell for words in (*say(" "), *cell))


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, Any]:
    # Verbatim: nothing in it becomes a link or a mention by itself.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": one_line(text, limit) or "Nocturne", "emoji": False}
