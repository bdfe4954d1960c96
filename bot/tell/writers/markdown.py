"""GitHub Markdown: documents, titles and commit messages in which nobody's words do anything.

https://github.github.com/gfm/
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from itertools import groupby

from bot.base.text import clean, clean_diff, disarmed, fenced, one_line, web_address
from bot.forge import BODY_LIMIT, cut
from bot.tell.document import (
    Block,
    Bullets,
    Code,
    Curves,
    Details,
    Document,
    Facts,
    Heading,
    Line,
    Look,
    Paragraph,
    Picture,
    Table,
    Words,
    spaced,
)

# What may stand between backticks as it is, also in a table: nothing of it ends a span or a cell.
_PLAIN = re.compile(r"[A-Za-z0-9_.,:+\-*/()\[\]\"'= {}%]+")
# Words and numbers that mean nothing to Markdown or to GitHub, wherever they stand on a line.
_HARMLESS = re.compile(r"[A-Za-z][A-Za-z0-9 ,;()%?!'\"/]*|[0-9]+(?:\.[0-9]+)?")
_LONGER = 14  # characters that one of a text can become at most: a dollar sign
# What means something inside a line, and what does only where a line begins.
_INSIDE = re.compile(r"[\\`*_\[\]#|~]")
_BEGINS = re.compile(r"^[-+=]|(?<=^\d)[.)](?=\s|$)")
_NUMBERED = re.compile(r"^(\d{2,9})([.)])(?=\s|$)")  # would begin a list
_JOINER = "\u200d"
_SPARE = 1_000  # characters of a body, for what a forge adds to it
_LONGEST = 300  # characters of a line within a block
# Orange and grey tell apart on light and dark, and for those who see no red.
_CHART = """\
```mermaid
---
config: {{themeVariables: {{xyChart: {{plotColorPalette: "#d9480f, #6e7781"}}}}}}
---
xychart-beta
    x-axis "{axis}" {start} --> {end}
    y-axis "{values}" {low} --> {high}
{lines}
```"""


def write(document: Document) -> str:
    """Return a document as Markdown."""
    said: list[str] = []
    for block in document:
        if isinstance(block, Details):
            summary = f"<details><summary>{escape(block.summary)}</summary>"
            said += [summary, *map(_block, block.inside), "</details>"]
        else:
            said.append(_block(block))
    return "\n\n".join(filter(None, said)) + "\n"


def title(text: str, limit: int) -> str:
    """Return `text` as a title: one line of at most `limit` characters that mentions nobody and links nowhere."""
    line = one_line(text, limit)
    while len(said := disarmed(line)) > limit:
        line = one_line(line, len(line) - (len(said) - limit))
    return said


def escape(text: str, limit: int | None = None, *, begins: bool = True) -> str:
    """Return `text` as one line of Markdown that shows what was written and does nothing, also in a table's cell.

    Mentions, references to issues and addresses are broken by a zero-width joiner; a dollar sign is wrapped as
    GitHub asks, so that it opens no formula
    (https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/writing-mathematical-expressions).
    At most `limit` characters are shown, and the result is never longer than twice that. `begins` tells that
    nothing stands before it on its line.
    """
    line = one_line(text, limit)
    if _HARMLESS.fullmatch(line):
        return line
    while True:
        said = re.sub(r"#(?=\w)", f"#{_JOINER}", disarmed(line))
        said = said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        said = _INSIDE.sub(r"\\\g<0>", said)
        if begins:
            said = _NUMBERED.sub(r"\1\\\2", _BEGINS.sub(r"\\\g<0>", said))
        said = said.replace("$", "<span>$</span>")
        if limit is None or len(said) <= 2 * limit:
            return said
        line = one_line(line, len(line) * 3 // 4)


def line(of: Line) -> str:
    """Return a line of a document: neighbours that look alike are escaped together."""
    said = ""
    for look, alike in groupby(of, key=lambda words: words.look):
        inside = ""
        for url, group in groupby(alike, key=lambda words: web_address(words.url)):
            inside += _words("".join(map(_shown, group)), look, url, begins=not said + inside)
        mark = {"strong": "**", "soft": "_"}.get(look, "") if inside.strip() else ""
        said += spaced(inside, f"{mark}{inside.strip()}{mark}") if mark else inside
    return said


def fitting(make: Callable[[int], Document], most: int, limit: int = BODY_LIMIT - _SPARE) -> str:
    """Return the longest of the documents `make(0)` to `make(most)`, each longer than the last, within `limit`.

    `limit` counts characters; without it is what a forge takes.
    """
    whole = write(make(most))
    if len(whole) <= limit:
        return whole
    fits = bisect_right(range(most + 1), limit, key=lambda size: len(write(make(size))))
    return cut(write(make(max(0, fits - 1))), limit)


def code_block(text: str, language: str) -> list[str]:
    """Return lines as a block that nothing within them ends."""
    shown = clean_diff(text.rstrip("\n")) if language == "diff" else clean(text.rstrip("\r\n"))
    return fenced(shown, language, _LONGEST)


def _shown(words: Words) -> str:
    """Return as much of the words as is shown, with the space around them."""
    shown = one_line(words.text, words.limit)
    while len(shown) * _LONGER > 2 * words.limit and len(escape(shown)) > 2 * words.limit:
        shown = one_line(shown, len(shown) * 3 // 4)
    return spaced(words.text, shown)


def _words(text: str, look: Look, url: str | None, *, begins: bool) -> str:
    shown = text.strip()
    if not shown:
        return spaced(text, "")
    if look == "issue" and re.fullmatch(r"#\d+", shown):
        said = shown
    elif look == "code" and _PLAIN.fullmatch(shown):
        said = f"`{shown}`"
    else:
        said = escape(shown, begins=begins)
    return spaced(text, f"[{said}]({url})" if url else said)


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {line(block.line)}"
        case Paragraph():
            kind = {"note": "> **Note:** {}", "small": "<sub>{}</sub>"}.get(block.kind, "{}")
            return kind.format(line(block.line))
        case Bullets():
            marks = [f"{place}." if block.numbered else "-" for place, _ in enumerate(block.lines, 1)]
            return "\n".join(map("{} {}".format, marks, map(line, block.lines)))
        case Facts():
            # One below the other: beside each other they are too wide for a phone, and one long value for a screen.
            return _table(Table(("", ""), tuple(((Words(name),), value) for name, value in block.pairs)))
        case Table():
            return _table(block)
        case Code():
            return "\n".join(code_block(block.text, block.language))
        case Curves():
            lines = "\n".join(f"    line [{', '.join(values)}]" for values in block.lines)
            return _CHART.format(**vars(block) | {"lines": lines})
        case Picture():
            return f"![{escape(block.shows)}]({block.path})" if block.path else ""
        case Details():
            raise TypeError("what is folded away holds nothing folded away")


def _table(table: Table) -> str:
    rules = ["---:" if place in table.numeric else "---" for place, _ in enumerate(table.heads)]
    heads = [escape(head, 64) for head in table.heads]
    rows = [heads, rules]
    for row in table.rows:
        rows.append(list(map(line, row)))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
