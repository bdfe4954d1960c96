"""A document as plain data: whoever writes it decides how it looks, and escapes every word of it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bot.base.text import clean, one_line

Look = Literal["plain", "strong", "soft", "code", "issue"]
_COMMAND = re.compile(r"`(/?nocturne(?: [\w./=-]+)*)`")
LIMIT = 1000
_LEAST = 40  # characters that are worth a paragraph
_MARKS = re.compile(r"(\*\*|`|\{\w*\})")


@dataclass(frozen=True)
class Words:
    """Plain text on one line, from whomever it may come. At most `limit` characters of it are shown.

    `url` makes a link of it if it is a web address. The look `issue` is for a number of ours: GitHub links it.
    """

    text: str
    look: Look = "plain"
    url: str | None = None
    limit: int = LIMIT


Line = tuple[Words, ...]
Part = str | int | Words | Line


@dataclass(frozen=True)
class Heading:
    """A heading; 1 is the document's title."""

    line: Line
    level: int = 3


@dataclass(frozen=True)
class Paragraph:
    """Some sentences. A `note` is what must not be missed, `small` what may be."""

    line: Line
    kind: Literal["plain", "note", "small"] = "plain"


@dataclass(frozen=True)
class Bullets:
    """A list, the weightiest first: what doesn't fit is left out from the end."""

    lines: tuple[Line, ...]
    numbered: bool = False


@dataclass(frozen=True)
class Facts:
    """Figures at a glance: short labels, short values."""

    pairs: tuple[tuple[str, Line], ...]


@dataclass(frozen=True)
class Table:
    """A table. `numeric` holds the columns that are aligned as figures; without `heads` the first one is labels."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Code:
    """Lines shown as they are; of the language `diff` each line is git's, and nothing within one begins another."""

    text: str
    language: str = "text"


@dataclass(frozen=True)
class Curves:
    """Lines over one axis, all from `start` to `end` at even steps."""

    axis: str
    start: str
    end: str
    values: str
    low: str
    high: str
    lines: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A picture, in words; it is shown once `path` says where it lies, and left out before."""

    shows: str
    path: str | None = None


@dataclass(frozen=True)
class Details:
    """What is folded away at first."""

    summary: str
    inside: Document


Block = Heading | Paragraph | Bullets | Facts | Table | Code | Curves | Picture | Details
Document = tuple[Block, ...]


def say(template: str, *parts: Part, **named: Part) -> Line:
    """Return a sentence as a line: `**strong**` and `code` are marked in the template, `{}` and `{name}` are parts.

    Only the template, which is always ours, is read for marks; parts are words whatever they hold.
    """
    look: Look = "plain"
    line: list[Words] = []
    given = iter(parts)
    for piece in _MARKS.split(template):
        if piece in ("**", "`"):
            marked: Look = "strong" if piece == "**" else "code"
            look = "plain" if look == marked else marked
        elif piece[:1] == "{" and piece[-1:] == "}":
            part = named[piece[1:-1]] if piece != "{}" else next(given)
            line += [_looking(words, look) for words in line_of(part)]
        elif piece:
            line.append(Words(piece, look))
    return tuple(line)


def told(text: str, limit: int = LIMIT, *, foreign: bool = False) -> Line:
    """Return a sentence that is plain text, of which `limit` characters are shown: what it has in backticks is code. If
    words of others may stand in it (`foreign`), only commands of ours are."""
    shown = one_line(text, limit)
    if foreign:
        pieces = _COMMAND.split(shown)
    elif len(pieces := shown.split("`")) % 2 == 0:  # one of them has no other
        return (Words(text, limit=limit),)
    looks: tuple[Look, Look] = ("plain", "code")
    return tuple(Words(piece, looks[place % 2]) for place, piece in enumerate(pieces) if piece)


def line_of(part: Part) -> Line:
    """Return a part as a line."""
    if isinstance(part, tuple):
        return part
    return (part if isinstance(part, Words) else Words(str(part)),)


def cut(text: str, limit: int) -> Words:
    """Return somebody's text, of which `limit` characters are shown."""
    return Words(text, limit=limit)


def code(text: str, limit: int = 120) -> Words:
    """Return a path, a name or a literal."""
    return Words(text, "code", limit=limit)


def spaced(text: str, shown: str) -> str:
    """Return what is shown of `text`, with the space that stands around it; if nothing is shown, at most one space."""
    lead, tail = text[:1].isspace() * " ", text[-1:].isspace() * " "
    return f"{lead}{shown}{tail}" if shown else lead


def linked(number: int, url: str | None, name: str = "{}") -> Words:
    """Return the number of an experiment, linked to its pull request: a bare one would name another issue."""
    return Words(name.format(number), url=url)


def heading(text: Part, level: int = 3) -> Heading:
    return Heading(line_of(text), level)


def small(text: str) -> tuple[Paragraph, ...]:
    """Return a remark in small letters, nothing if it is empty."""
    return (Paragraph((Words(text),), "small"),) if text else ()


def paragraph(template: str, *parts: Part, **named: Part) -> Paragraph:
    """Return a sentence of ours as a paragraph."""
    return Paragraph(say(template, *parts, **named))


def bullets(lines: Iterable[Part], *, numbered: bool = False) -> Document:
    """Return a list, or nothing if it has no line."""
    made = tuple(line_of(line) for line in lines)
    return (Bullets(made, numbered),) if made else ()


def table(heads: Sequence[str], rows: Iterable[Sequence[Part]], numeric: str = "") -> Table:
    """Return a table; `numeric` has a letter for each column, `n` for those of figures."""
    columns = frozenset(place for place, kind in enumerate(numeric) if kind == "n")
    return Table(tuple(heads), tuple(tuple(line_of(cell) for cell in row) for row in rows), columns)


def paragraphs(text: str, limit: int = 3000) -> Document:
    """Return somebody's text in its paragraphs; `limit` characters of all together are shown."""
    found: list[Block] = []
    for part in re.split(r"\n\s*\n", clean(text).strip()):
        if limit < _LEAST:
            break
        shown = max(_LEAST, len(one_line(part, limit)))
        found.append(Paragraph((Words(part, limit=min(limit, shown)),)))
        limit -= shown
    return tuple(found)


def _looking(words: Words, look: Look) -> Words:
    return dataclasses.replace(words, look=look) if words.look == "plain" else words


@dataclass(frozen=True)
class Message:
    """One message. `key` names it for ever: nobody sends two of the same key.

    `summary` is one line for a phone's lock screen; `body` is what stands below it.
    """

    key: str
    title: str
    summary: str
    body: Document = ()

    @property
    def chart(self) -> str | None:
        """What the message's picture shows, None if it has none."""
        return next((block.shows for block in self.body if isinstance(block, Picture)), None)

    def document(self, picture: str | None = None) -> Document:
        """Return the whole message, with its picture if it lies somewhere by now."""
        body = tuple(
            replace(block, path=picture) if isinstance(block, Picture) else block for block in self.body
        )
        return (heading(self.title, 1), paragraph("**{}**", self.summary), *body)
