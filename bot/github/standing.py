"""Where a campaign stands, short enough for a comment."""

from __future__ import annotations

from bot.pulls.safe import prose
from bot.report.debt import reading_title, size_words
from bot.report.figures import Figures
from bot.report.formats import with_margin
from bot.report.words import facts, gain_words, score_words, state_words, warnings
from bot.text import web_address

_LATEST = 5
_READING = 20


def standing(figures: Figures) -> str:
    """Return the campaign's scores, gain, state, costs and latest experiments as Markdown."""
    first, last = score_words(figures)
    names, values = zip(*facts(figures), strict=True)
    parts = [
        f"**Campaign {prose(figures.name, 80)}**: {prose(figures.metric, 64)} {first} → **{last}**,"
        f" {prose(gain_words(figures), 120)}",
        f"_{prose(state_words(figures), 400)}_",
        _table(names, [[prose(value, 80) for value in values]]),
    ]
    rows = figures.rows[::-1][:_LATEST]
    if rows:
        cells = [
            [
                _linked(row.number, row.url),
                f"{row.state}…" if row.open else row.state,
                with_margin(row.effect, row.half_width, figures.digits),
                prose(row.hypothesis, 140),
            ]
            for row in rows
        ]
        parts.append(_table(("#", "verdict", "effect", "hypothesis"), cells))
    if figures.debt.reading:
        parts.append(f"**{reading_title(figures.debt)}**")
        parts.append(
            "\n".join(
                f"- {_linked(row.number, row.url)} ({size_words(row)}): {prose(row.hypothesis, 140)}"
                for row in figures.debt.reading[:_READING]
            )
        )
    parts += [f"> **Note:** {prose(text, 400)}" for text in warnings(figures)[:_LATEST]]
    return "\n\n".join(parts)


def _linked(number: int, url: str | None) -> str:
    """Return an experiment's number as a link: a bare one would name another issue."""
    address = web_address(url)
    return f"[{number}]({address})" if address else str(number)


def _table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
