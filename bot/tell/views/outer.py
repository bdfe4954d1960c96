"""The outer loop for people: its mechanisms on trial, what they changed, and what the diagnosis found."""

from __future__ import annotations

from bot.tell.document import Document, Line, bullets, cut, heading, paragraph, say, table
from bot.tell.figures.outer import ChangedRow, OuterFigures, started_blocks, verdict_words
from bot.tell.numbers import NOTHING

_SHOWN = 20


def outer(figures: OuterFigures) -> Document:
    """Return the whole of it: for `nocturne outer`."""
    if not figures.blocks:
        return (paragraph("No experiment was steered by an outer loop yet (`outer` in the configuration)."),)
    return (
        paragraph("{}. Figures are gain by GPU time, in deviations of one run.", started_blocks(figures)),
        table(
            ("mechanism", "blocks", "changed", "worth a block", "what its blocks tell"),
            [
                (
                    row.name, str(row.blocks), f"{row.changed} of {row.proposals}",
                    NOTHING if row.worth is None else f"{row.worth:.2g}", cut(verdict_words(row), 200),
                )
                for row in figures.rows
            ],
        ),
        *_part("Experiments that it changed", [changed_line(row) for row in figures.changed[-_SHOWN:]]),
        *_part("What the researcher wrote", [_written(each) for each in figures.research[-_SHOWN:]]),
        *_part("What the diagnosis found", [_found(each) for each in figures.diagnoses[-_SHOWN:]]),
    )  # fmt: skip


def section(figures: OuterFigures) -> Document:
    """Return it as a part of a report; nothing without an outer loop."""
    return (heading("The outer loop", 2), *outer(figures)) if figures.blocks else ()


def morning_lines(figures: OuterFigures, since: int) -> list[Line]:
    """Return what a morning says of it: each mechanism, and the experiments from `since` on that one has changed."""
    if not figures.blocks:
        return []
    lines = [
        say("{} ({} blocks): {}", row.name, str(row.blocks), cut(verdict_words(row), 200))
        for row in figures.rows
        if row.state != "control" and (row.blocks or row.state != "on trial")
    ]
    lines += [_written(each) for each in figures.research if each[0] >= since]
    return [*lines, *(changed_line(row) for row in figures.changed if row.number >= since)]


def changed_line(row: ChangedRow) -> Line:
    """Return an experiment that a mechanism changed, beside what would have happened."""
    return say(
        "experiment {} ({}): {}; instead of: {} ({})",
        row.number, row.mechanism, cut(row.tried, 120), cut(row.instead, 120), cut(row.why, 160),
    )  # fmt: skip


def _part(title: str, lines: list[Line]) -> Document:
    return (heading(title, 2), *bullets(lines)) if lines else ()


def _found(each: tuple[int, str, float, float, str]) -> Line:
    number, term, value, threshold, leads_to = each
    return say(
        "before experiment {}: {} {}, from {} on; {} answers that", number, term, f"{value:.2g}", f"{threshold:g}",
        leads_to,
    )  # fmt: skip


def _written(each: tuple[int, str, str]) -> Line:
    number, name, said = each
    if not name:
        return say("before experiment {} the researcher wrote no mechanism: {}", number, cut(said, 200))
    return say("before experiment {} the researcher wrote {} ({})", number, name, cut(said, 200))
