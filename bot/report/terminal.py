"""The report on a terminal. Texts from agents enter as `rich.text.Text`: brackets and escapes do nothing."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bot.report.debt import reading_title, size_words
from bot.report.figures import Figures
from bot.report.formats import NOTHING, score, with_margin
from bot.report.rows import Row
from bot.report.words import (
    facts,
    gain_words,
    lines_words,
    rejections_note,
    score_words,
    state_words,
    time_words,
    title,
    warnings,
)
from bot.text import terminal_text

WIDE = ("#", "verdict", "score", "effect", "runs", "lines", "time", "hypothesis")
STATE_STYLES = {
    "improved": "bold green",
    "discarded": "dim",
    "inconclusive": "yellow",
    "crashed": "red",
    "rejected": "magenta",
    "lost": "dim",
}


def headline(figures: Figures) -> RenderableType:
    """Return a short panel: the scores, the gain, and what they cost."""
    name = terminal_text(title(figures), "bold", 60)
    return Panel(Group(*_lines(figures)), title=name, box=box.ROUNDED, expand=False)


def status_text(figures: Figures) -> Text:
    """Return the same as plain lines, for `nocturne status`."""
    return Text("\n").join([terminal_text(title(figures), "bold"), *_lines(figures)])


def experiment_table(figures: Figures, *, latest: int | None = 20, width: int = 80) -> Table:
    """Return the latest experiments, the newest last; all of them where `latest` is None.

    Below 100 columns of `width` the hypothesis needs the room of what can be looked up: score, lines, time.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = WIDE if width >= 100 else tuple(name for name in WIDE if name not in ("score", "lines", "time"))
    for name in columns:
        left = name in ("verdict", "hypothesis")
        table.add_column(name, justify="left" if left else "right", no_wrap=name != "hypothesis")
    rows = figures.rows if latest is None else figures.rows[-latest:] if latest > 0 else ()
    for row in rows:
        cells = _cells(row, figures.digits)
        table.add_row(*(cells[name] for name in columns))
    return table


def _lines(figures: Figures) -> list[Text]:
    first, last = score_words(figures)
    better = figures.gain is not None and figures.gain.value > 0
    lines = [
        Text.assemble(
            terminal_text(figures.metric, "dim", 40),
            f" {first} → ",
            (last, "bold"),
            "  ",
            (gain_words(figures), "green" if better else ""),
        ),
        terminal_text(state_words(figures), "dim"),
        Text("   ").join(Text.assemble((f"{name} ", "dim"), value) for name, value in facts(figures)),
    ]
    if note := rejections_note(figures):
        lines.append(terminal_text(note, "dim"))
    lines += [terminal_text(text, "yellow") for text in warnings(figures)]
    if figures.debt.reading:
        lines.append(Text(reading_title(figures.debt), style="bold"))
    for row in figures.debt.reading:
        said = f"{row.number} ({size_words(row)}): {row.hypothesis}"
        lines.append(terminal_text(said, limit=160))
    return lines


def _cells(row: Row, digits: int) -> dict[str, Text]:
    style = STATE_STYLES.get(row.state, "cyan")
    return {
        "#": Text(str(row.number)),
        "verdict": Text(f"{row.state}…" if row.open else row.state, style=style),
        "score": Text(score(row.score, digits)),
        "effect": Text(with_margin(row.effect, row.half_width, digits)),
        "runs": Text(str(row.runs)),
        "lines": Text(lines_words(row) or NOTHING),
        "time": Text(time_words(row) or NOTHING),
        "hypothesis": terminal_text(row.hypothesis, limit=120),
    }
