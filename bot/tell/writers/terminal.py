"""The terminal, by rich: texts of others enter as `rich.text.Text`, so that brackets and escapes do nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bot.base.text import clean, clean_diff, one_line
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
    Paragraph,
    Picture,
    Table,
    Words,
    spaced,
)

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.text import Text

STYLES = {
    "improved": "bold green",
    "discarded": "dim",
    "inconclusive": "yellow",
    "crashed": "red",
    "rejected": "magenta",
    "lost": "red",
    "held": "bright_magenta",
    "hold": "bright_magenta",
}
_PIPE = 400  # columns
_LOOKS = {"strong": "bold", "soft": "dim", "code": "cyan"}
_KINDS = {"note": "yellow", "small": "dim"}
_LINES = {"+": "green", "-": "red", "@": "cyan"}


def escape(text: str) -> str:
    """Return somebody's text cleaned, for one line of a terminal; spaces stay as they are."""
    shown = clean(text).replace("\n", " ").replace("\t", "    ")
    return "".join(character if character.isprintable() else " " for character in shown)


def write(document: Document) -> list[RenderableType]:
    """Return a document as what a rich console prints, one thing after the other."""
    return [made for block in document for made in _block(block)]


def show(document: Document, console: Console | None = None) -> None:
    """Print a document on the terminal."""
    from rich.console import Console
    from rich.text import Text

    # What goes into a file or a pipe is not broken into lines: it is searched.
    to = console or Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE)
    with to.capture() as printed:
        for made in write(document):
            to.print(made, soft_wrap=isinstance(made, Text))
    # Lines of Markdown are filled with spaces up to the width.
    lines = printed.get().split("\n")
    to.file.write("\n".join(lines if to.is_terminal else (line.rstrip() for line in lines)))


def panel(title: str, document: Document) -> RenderableType:
    """Return a document in a frame."""
    from rich import box
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    name = Text(escape(one_line(title, 60)), "bold")
    return Panel(Group(*write(document)), title=name, box=box.ROUNDED, expand=False)


def line(of: Line, style: str = "") -> Text:
    """Return a line of a document."""
    from rich.text import Text

    parts = [(_shown(words), _LOOKS.get(words.look, "")) for words in of]
    return Text.assemble(*parts, style=style)


def _shown(words: Words) -> str:
    return spaced(words.text, escape(one_line(words.text, words.limit)))


def _block(block: Block) -> list[RenderableType]:
    from rich.text import Text

    match block:
        case Heading():
            return [*([Text()] if block.level > 1 else []), line(block.line, "bold")]
        case Paragraph():
            return [line(block.line, _KINDS.get(block.kind, ""))]
        case Bullets():
            marks = [f"{place}." if block.numbered else "•" for place, _ in enumerate(block.lines, 1)]
            return [Text.assemble(f"{mark} ", line(of)) for mark, of in zip(marks, block.lines, strict=True)]
        case Facts():
            return [
                _Pairs([Text.assemble((f"{escape(name)} ", "dim"), line(of)) for name, of in block.pairs])
            ]
        case Table() if not any(block.heads):  # labels and what they stand for
            return [Text.assemble(line(label), ": ", line(value)) for label, value in block.rows]
        case Table():
            return [_table(block)]
        case Code(language="markdown"):
            from rich.markdown import Markdown

            return [Markdown(clean(block.text), hyperlinks=False)]
        case Code():
            text = clean_diff(block.text) if block.language == "diff" else clean(block.text)
            coloured = _LINES if block.language == "diff" else {}
            return [Text(escape(each), coloured.get(each[:1], "")) for each in text.rstrip("\n").split("\n")]
        case Details():
            return [Text(), Text(escape(block.summary), "bold"), *write(block.inside)]
        case Curves() | Picture():
            return []  # its figures stand in the table below it


class _Pairs:
    """Labels with their values, as many beside each other as the width holds: none is broken that fits on a line."""

    def __init__(self, pairs: list[Text]) -> None:
        self._pairs = pairs

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        from rich.text import Text

        row: list[Text] = []
        for pair in self._pairs:
            if row and sum(len(each) + 3 for each in row) + len(pair) > options.max_width:
                yield Text("   ").join(row)
                row = []
            row.append(pair)
        if row:
            yield Text("   ").join(row)


def _table(table: Table) -> RenderableType:
    from rich import box
    from rich.table import Table as Grid

    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    widest = max(range(len(table.heads)), key=lambda place: _longest(table, place))
    for place, head in enumerate(table.heads):
        justify = "right" if place in table.numeric else "left"
        grid.add_column(escape(one_line(head, 40)), justify=justify, no_wrap=place != widest)  # type: ignore[arg-type]
    for row in table.rows:
        grid.add_row(*(_cell(cell) for cell in row))
    return grid


def _longest(table: Table, place: int) -> int:
    return max((sum(len(words.text) for words in row[place]) for row in table.rows), default=0)


def _cell(of: Line) -> Text:
    """Return a cell; a verdict has its colour."""
    text = line(of)
    style = STYLES.get(text.plain.rstrip("…"))
    if style:
        text.stylize(style)
    return text
