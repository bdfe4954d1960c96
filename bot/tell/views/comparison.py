"""Two experiments beside each other."""

from __future__ import annotations

from bot.tell.document import Code, Document, Part, cut, heading, paragraph, say, small, table
from bot.tell.figures.campaign import Figures
from bot.tell.figures.rows import Row
from bot.tell.numbers import NOTHING, count, decimals
from bot.tell.words import effect_words, level_note, lines_words, memory_words, row_score, time_words


def comparison(figures: Figures, one: Row | None, other: Row | None, diff: str) -> Document:
    """Return a table of two experiments, None standing for the baseline, and the change of the code between them."""
    pairs = zip(_facts(figures, one), _facts(figures, other), strict=True)
    rows: list[list[Part]] = [[name, first, second] for (name, first), (_, second) in pairs]
    return (
        heading(say("{} and {}", _name(one), _name(other)), 1),
        table(("", _name(one), _name(other)), rows),
        *small(level_note(figures)),
        heading(say("From {} to {}", _name(one), _name(other)), 2),
        *((Code(diff, "diff"),) if diff.strip() else (paragraph("The code is the same."),)),
    )


def _name(row: Row | None) -> str:
    return "the baseline" if row is None else f"experiment {row.number}"


def _facts(figures: Figures, row: Row | None) -> list[tuple[str, Part]]:
    digits = figures.digits
    if row is None:
        seen = figures.baseline
        score = decimals(seen.score if seen else None, digits)
        runs = count(seen.runs if seen else 0, "run")
        return [*_lines("", "baseline", score, "", runs, "", "", "")]
    return [
        *_lines(
            row.hypothesis, row.state, row_score(row, digits), effect_words(row, digits), count(row.runs, "run"),
            lines_words(row), time_words(row), memory_words(row),
        )
    ]  # fmt: skip


def _lines(*values: str) -> list[tuple[str, Part]]:
    names = ("hypothesis", "verdict", "score", "effect", "runs", "lines", "time", "peak memory")
    return [(name, cut(value or NOTHING, 200)) for name, value in zip(names, values, strict=True)]
