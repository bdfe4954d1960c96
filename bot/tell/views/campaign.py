"""A campaign as a whole: the report that a ledger shows as its README, and where it stands in short."""

from __future__ import annotations

from collections.abc import Sequence

from bot.tell.cautions import warnings
from bot.tell.document import (
    Block,
    Document,
    Facts,
    Line,
    Paragraph,
    Part,
    Picture,
    Words,
    bullets,
    cut,
    heading,
    linked,
    paragraph,
    say,
    small,
    table,
    told,
)
from bot.tell.figures.campaign import Figures
from bot.tell.figures.debt import reading_title, size_words, steps_words
from bot.tell.figures.rows import Row
from bot.tell.numbers import count, moment
from bot.tell.views.outer import section
from bot.tell.views.queue import queue
from bot.tell.words import (
    effect_words,
    facts,
    gain_note,
    gain_words,
    level_note,
    lines_words,
    rejections_note,
    row_score,
    state_words,
    time_words,
    title,
    way_words,
)

_LATEST = 5
_READING = 20
COLUMNS = ("#", "verdict", "hypothesis", "score", "effect", "runs", "lines", "time")
_WIDE = ("#", "verdict", "score", "effect", "runs", "lines", "time", "hypothesis")
_NARROW = ("#", "verdict", "effect", "runs", "hypothesis")


def report(
    figures: Figures,
    *,
    chart: str | None = None,
    latest: int = 20,
    dead_ends: int = 20,
    merged: int | None = None,
) -> Document:
    """Return the report; `chart` is the path of the progress chart beside it, None if there is none.

    `latest` and `dead_ends` limit how many experiments those two parts name, `merged` how many of the last merges.
    """
    return (
        heading(title(figures), 1),
        paragraph("**{}**, {}", cut(way_words(figures), 120), gain_words(figures)),
        Paragraph((Words(state_words(figures), "soft"),)),
        *notes(figures),
        headline_facts(figures),
        *((Picture("progress", chart),) if chart is not None else ()),
        *small(gain_note(figures)),
        *small(rejections_note(figures)),
        *queue(figures),
        *_reading(figures),
        *_wins(figures, merged),
        *_latest(figures, latest),
        *_dead_ends(figures, dead_ends),
        *_claims(figures),
        *section(figures.outer),
        *small(level_note(figures)),
        *small(f"Written {moment(figures.now.isoformat())}."),
    )


def standing(figures: Figures) -> Document:
    """Return where the campaign stands, short enough for a comment."""
    rows = figures.rows[::-1][:_LATEST]
    return (
        paragraph(
            "**Campaign {}**: **{}**, {}",
            cut(figures.name, 80), cut(way_words(figures), 120), cut(gain_words(figures), 160),
        ),
        Paragraph((Words(state_words(figures), "soft", limit=400),)),
        headline_facts(figures),
        *((experiments(rows, figures, ("#", "verdict", "effect", "hypothesis")),) if rows else ()),
        *reading(figures, _READING),
        *queue(figures, _LATEST),
        *notes(figures)[:_LATEST],
        *small(level_note(figures)),
    )  # fmt: skip


def overview(figures: Figures) -> Document:
    """Return the scores, the gain and what they cost: what a terminal shows of a campaign."""
    return (
        paragraph("**{}**, {}", cut(way_words(figures), 120), gain_words(figures)),
        Paragraph((Words(state_words(figures), "soft"),)),
        headline_facts(figures),
        *small(rejections_note(figures)),
        *small(level_note(figures)),
        *notes(figures),
        *reading(figures),
        *queue(figures),
    )


def latest_experiments(figures: Figures, *, latest: int = 20, width: int = 80) -> Document:
    """Return the latest experiments, the newest last.

    Below 100 columns of `width` the hypothesis needs the room of what can be looked up: score, lines, time.
    """
    rows = figures.rows[-latest:]
    return (experiments(rows, figures, _WIDE if width >= 100 else _NARROW),) if rows else ()


def headline_facts(figures: Figures) -> Facts:
    """Return the figures at a glance."""
    return Facts(tuple((name, told(value, 160)) for name, value in facts(figures)))


def notes(figures: Figures) -> tuple[Paragraph, ...]:
    """Return what a reader must know before believing the figures."""
    return tuple(Paragraph(told(text, 400, foreign=True), "note") for text in warnings(figures))


def experiments(rows: Sequence[Row], figures: Figures, columns: Sequence[str] = COLUMNS) -> Block:
    """Return experiments as a table of these columns."""
    cells = [_cells(row, figures.digits) for row in rows]
    kinds = "".join("-" if name in ("verdict", "hypothesis") else "n" for name in columns)
    return table(columns, [[each[name] for name in columns] for each in cells], kinds)


def reading(figures: Figures, most: int | None = None) -> Document:
    """Return what a human should read first, as a list below its title."""
    lines = reading_lines(figures, most, explained=False)
    return (paragraph("**{}**", reading_title(figures.debt)), *bullets(lines)) if lines else ()


def name(row: Row) -> Words:
    """Return the experiment's number, linked to its pull request."""
    return linked(row.number, row.url)


def called(row: Row) -> Words:
    """Return what begins a line on an experiment: `Experiment 7`, linked to its pull request."""
    return linked(row.number, row.url, "Experiment {}")


def _cells(row: Row, digits: int) -> dict[str, Part]:
    verdict = (
        Words(f"{row.state}…", "soft") if row.open else Words(row.state, "strong" if row.landed else "plain")
    )
    return {
        "#": name(row),
        "verdict": verdict,
        "hypothesis": cut(row.hypothesis, 140),
        "score": row_score(row, digits),
        "effect": effect_words(row, digits),
        "runs": row.runs,
        "lines": lines_words(row),
        "time": time_words(row),
    }


def _reading(figures: Figures) -> Document:
    """Return what a human should read first, with what it is about."""
    lines = reading_lines(figures)
    return (heading(reading_title(figures.debt), 2), *bullets(lines)) if lines else ()


def reading_lines(figures: Figures, most: int | None = None, *, explained: bool = True) -> list[Line]:
    """Return what a human should read first, one line for each; steps of the same constants are one."""
    return [_to_read(rows, explained=explained) for rows in figures.debt.groups[:most]]


def _to_read(rows: Sequence[Row], *, explained: bool) -> Line:
    first = rows[0]
    if len(rows) > 1:
        names: Line = ()
        for row in rows:
            names += say(", {}" if names else "Experiments {}", name(row))
        steps = say(
            " ({} of one change, {}): {}",
            f"{len(rows)} steps",
            size_words(first),
            cut(steps_words(rows), 200),
        )
        return (*names, *steps)
    if not explained:
        return say("{} ({}): {}", called(first), size_words(first), cut(first.hypothesis, 140))
    about, size = cut(first.explanation.changed, 300), size_words(first)
    return say("{}: {} ({}). {}", called(first), cut(first.hypothesis, 140), size, about)


def _wins(figures: Figures, most: int | None) -> Document:
    rows = {row.number: row for row in figures.rows}
    order = [*dict.fromkeys(stair.experiment for stair in figures.staircase if stair.experiment is not None)]
    earlier = 0 if most is None else max(0, len(order) - most)
    lines = [_win(rows[number], figures.digits) for number in order[earlier:]]
    more = (paragraph("After {}:", count(earlier, "earlier merge")),) if earlier else ()
    return (heading("What was merged", 2), *more, *bullets(lines)) if lines else ()


def _win(row: Row, digits: int) -> Line:
    effect, runs = effect_words(row, digits), count(row.candidate_runs, "run")
    said = cut(row.hypothesis, 140)
    return say("{}: {}: **{}** ({}, `{}`)", called(row), said, effect, runs, (row.commit or "")[:7])


def _latest(figures: Figures, limit: int) -> Document:
    if not figures.rows:
        return (paragraph("No experiment has been made yet: `nocturne run` makes the first."),)
    more = count(len(figures.rows) - limit, "earlier experiment")
    return (
        heading("Latest experiments", 2),
        experiments(figures.rows[::-1][:limit], figures),
        *((paragraph("{}.", more),) if len(figures.rows) > limit else ()),
    )


def _dead_ends(figures: Figures, limit: int) -> Document:
    """Return what was measured to be no better, or can't run: so that nobody tries it again."""
    dead = [row for row in figures.rows[::-1] if row.is_dead_end]
    lines = [
        say("{}: {} ({}){}", called(row), cut(row.hypothesis, 140), row.state, _lesson(row))
        for row in dead[:limit]
    ]
    if not lines:
        return ()
    more = (paragraph("And {} more.", f"{len(dead) - limit:,}"),) if len(dead) > limit else ()
    return (heading("Dead ends", 2), *bullets(lines), *more)


def _claims(figures: Figures) -> Document:
    """Return what was imported and claims to have gained most, with the experiments that tried it."""
    lines = [
        say(
            "claim {}: {} says it gained {}{}",
            claim.number,
            cut(claim.description, 140),
            f"{claim.gain:.3g}",
            f", tried as experiment {', '.join(map(str, claim.experiments))}" if claim.experiments else "",
        )
        for claim in figures.claims.best
    ]
    return (heading("Imported, unverified", 2), *bullets(lines)) if lines else ()


def _lesson(row: Row) -> Line:
    return say(": {}", cut(row.taught, 240)) if row.taught else ()
