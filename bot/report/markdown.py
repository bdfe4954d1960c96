"""The report as GitHub Markdown: what a ledger shows as its README, and what a morning message quotes."""

from __future__ import annotations

from bot.report.debt import reading_title, size_words
from bot.report.figures import Figures
from bot.report.formats import count, moment, score, with_margin
from bot.report.rows import Row
from bot.report.words import (
    facts,
    gain_note,
    gain_words,
    lines_words,
    rejections_note,
    score_words,
    state_words,
    time_words,
    title,
    warnings,
)
from bot.text import markdown_text, web_address


def report_markdown(
    figures: Figures, *, chart: str | None = None, latest: int = 20, dead_ends: int = 20
) -> str:
    """Return the page; `chart` is the path of the progress chart beside it, where there is one.

    `latest` and `dead_ends` limit how many experiments those two parts name; every win is named.
    """
    first, last = score_words(figures)
    parts = [
        f"# {markdown_text(title(figures))}",
        f"**{markdown_text(figures.metric)} {first} → {last}**, {markdown_text(gain_words(figures))}",
        f"_{markdown_text(state_words(figures))}_",
    ]
    parts += [f"> **Note:** {markdown_text(text)}" for text in warnings(figures)]
    parts.append(_facts(figures))
    if chart is not None:
        parts.append(f"![progress]({chart})")
    if note := gain_note(figures):
        parts.append(f"<sub>{markdown_text(note)}</sub>")
    if note := rejections_note(figures):
        parts.append(f"<sub>{markdown_text(note)}</sub>")
    parts += _reading(figures)
    parts += _wins(figures)
    parts += _latest(figures, latest)
    parts += _dead_ends(figures, dead_ends)
    parts.append(f"<sub>Written {markdown_text(moment(figures.now.isoformat()))}.</sub>")
    return "\n\n".join(parts) + "\n"


def _facts(figures: Figures) -> str:
    names, values = zip(*facts(figures), strict=True)
    return "\n".join(
        (
            f"| {' | '.join(names)} |",
            f"|{' --- |' * len(names)}",
            f"| {' | '.join(markdown_text(value) for value in values)} |",
        )
    )


def _reading(figures: Figures) -> list[str]:
    """Return what a human should read first, with what it is about."""
    if not figures.debt.reading:
        return []
    lines = [
        f"- {_name(row)} {markdown_text(row.hypothesis, 140)} ({size_words(row)}). "
        f"{markdown_text(row.explanation.changed, 300)}"
        for row in figures.debt.reading
    ]
    return [f"## {reading_title(figures.debt)}", "\n".join(lines)]


def _wins(figures: Figures) -> list[str]:
    rows = {row.number: row for row in figures.rows}
    order = [stair.experiment for stair in figures.staircase if stair.experiment is not None]
    wins = [rows[number] for number in dict.fromkeys(order)]
    if not wins:
        return []
    lines = [
        f"{place}. {_name(row)} {markdown_text(row.hypothesis, 140)}: "
        f"**{with_margin(row.effect, row.half_width, figures.digits)}** "
        f"({count(row.candidate_runs, 'run')}, `{(row.commit or '')[:7]}`)"
        for place, row in enumerate(wins, 1)
    ]
    return ["## What was merged", "\n".join(lines)]


def _latest(figures: Figures, limit: int) -> list[str]:
    if not figures.rows:
        return ["No experiment has been made yet."]
    head = "| # | verdict | hypothesis | score | effect | runs | lines | time |"
    rule = "| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |"
    lines = [
        f"| {_name(row)} | {_state(row)} | {markdown_text(row.hypothesis, 140)} "
        f"| {score(row.score, figures.digits)} | {with_margin(row.effect, row.half_width, figures.digits)} "
        f"| {row.runs} | {lines_words(row)} | {time_words(row)} |"
        for row in figures.rows[::-1][:limit]
    ]
    more = [f"{count(len(figures.rows) - limit, 'earlier experiment')}."] if len(figures.rows) > limit else []
    return ["## Latest experiments", "\n".join((head, rule, *lines)), *more]


def _dead_ends(figures: Figures, limit: int) -> list[str]:
    """Return what was tried and did not help, with the lesson: so that nobody tries it again."""
    dead = [row for row in figures.rows[::-1] if not row.open and not row.landed]
    if not dead:
        return []
    lines = [
        f"- {_name(row)} {markdown_text(row.hypothesis, 140)} ({row.state})"
        + (f": {markdown_text(row.lesson, 240)}" if row.lesson.strip() else "")
        for row in dead[:limit]
    ]
    more = [f"And {len(dead) - limit:,} more."] if len(dead) > limit else []
    return ["## Dead ends", "\n".join(lines), *more]


def _state(row: Row) -> str:
    if row.open:
        return f"_{row.state}…_"
    return f"**{row.state}**" if row.landed else row.state


def _name(row: Row) -> str:
    """Return the experiment's number, linked to its pull request: a bare `#7` would name another issue."""
    url = web_address(row.url)
    return f"[{row.number}]({url})" if url else f"{row.number}"
