"""Words of agents, users, logs and paths, made harmless for GitHub: in titles, commits and Markdown."""

from __future__ import annotations

import re

from bot.text import clean, clean_diff, disarmed, markdown_text, one_line
from bot.text import fenced as block

# What may stand between backticks as it is, also in a table: nothing of it ends a span or a cell.
_PLAIN = re.compile(r"[A-Za-z0-9_.,:+\-*/()\[\]\"'= {}%]+")
_LINE = 300  # characters of a line within a block
_LEAST = 40  # characters that are worth a paragraph


def title(text: str, limit: int) -> str:
    """Return `text` as a title: one line of at most `limit` characters that mentions nobody and links nowhere."""
    line = one_line(text, limit)
    while len(said := disarmed(line)) > limit:
        line = one_line(line, len(line) - (len(said) - limit))
    return said


def prose(text: str, limit: int = 400) -> str:
    """Return `text` as one line of Markdown that shows what was written and does nothing.

    Safe within a paragraph and in a table's cell. At most `limit` characters of it are shown, and the
    result is never longer than twice that, whatever has to be escaped.
    """
    line = one_line(text, limit)
    while True:
        said = markdown_text(line)
        if len(said) <= 2 * limit:
            return said
        line = one_line(line, len(line) * 3 // 4)


def paragraphs(text: str, limit: int = 3000) -> list[str]:
    """Return `text` as lines of Markdown, a paragraph on each, blank lines between them.

    `limit` is for all of them together, as in `prose`.
    """
    lines: list[str] = []
    for part in re.split(r"\n\s*\n", clean(text).strip()):
        if limit < _LEAST:
            break
        said = prose(part, limit)
        limit -= max(len(one_line(part, limit)), len(said) // 2 + 1)
        lines += [said, ""]
    return lines[:-1]


def code(text: str, limit: int = 120) -> str:
    """Return a path, a name or a literal in backticks; as escaped prose where it holds anything unusual."""
    line = one_line(text, limit)
    return f"`{line}`" if _PLAIN.fullmatch(line) else prose(text, limit)


def fenced(text: str, language: str) -> list[str]:
    """Return a block as lines, its fence longer than any within it."""
    return block(clean(text.rstrip("\r\n")), language, _LINE)


def fenced_diff(diff: str) -> list[str]:
    """Return a diff in a block: its lines are git's, and nothing within one of them begins another."""
    return block(clean_diff(diff.rstrip("\n")), "diff", _LINE)
