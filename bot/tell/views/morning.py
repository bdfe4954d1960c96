"""The morning's summary: in one minute what happened, what to look at, and whether to worry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.config import Stop
from bot.rules.stopping import reason_of
from bot.tell.cautions import warnings
from bot.tell.document import (
    Facts,
    Line,
    Message,
    Paragraph,
    Picture,
    bullets,
    heading,
    line_of,
    say,
    small,
    told,
)
from bot.tell.figures.campaign import Figures
from bot.tell.figures.debt import debt_words, reading_title
from bot.tell.figures.period import Period
from bot.tell.figures.rows import Row
from bot.tell.numbers import count, decimals, device_hours, moment, money
from bot.tell.views.campaign import reading_lines
from bot.tell.views.news import Notice, experiment, merged, stop_words
from bot.tell.views.outer import morning_lines
from bot.tell.views.queue import next_line, waiting_lines
from bot.tell.words import (
    device_words,
    gain_words,
    level_note,
    score_words,
    state_words,
    title,
    way_words,
)

WINS, DEAD_ENDS, READING = 3, 3, 5


def morning_message(
    date: str, figures: Figures, past: Period, limits: Stop, *, untold: Sequence[Notice] = ()
) -> Message:
    """Return the summary of one date. `untold` are notices of the night that were not told yet."""
    said = f"{way_words(figures)}, {gain_words(figures)}"
    parts: list[tuple[str, list[Line]]] = [
        ("Told only now", [notice.line for notice in untold if notice.line]),
        ("Needs you", list(_needs(figures))),
        ("Worth reading", [_win(row, figures) for row in wins(past, figures)]),
        (reading_title(figures.debt), list(_reading(figures))),
        ("Dead ends that taught something", [_dead(row) for row in dead_ends(past)]),
        ("How the search was steered", morning_lines(figures.outer, _first(past))),
        ("What comes next", list(_next(figures, limits))),
    ]
    first, last = score_words(figures)
    chart = f"Progress of {title(figures)}: {first} to {last} in {count(figures.runs, 'run')}"
    foot = say("Since {}; the whole campaign: {}.", moment(past.since), _whole(figures))
    return Message(
        key=f"morning:{date}",
        title=f"{title(figures)}: the morning of {date}",
        summary=said,
        body=(
            Facts(tuple((name, line_of(value)) for name, value in _facts(figures, past))),
            *((Picture(chart),) if figures.dots else ()),
            *(block for name, lines in parts if lines for block in (heading(name, 2), *bullets(lines))),
            Paragraph(foot, "small"),
            *small(level_note(figures)),
        ),
    )


def _first(past: Period) -> int:
    """Return the first experiment that ended in the period; beyond all if none did."""
    return min((row.number for row in past.rows), default=10**9)


def is_quiet(past: Period, untold: Sequence[Notice]) -> bool:
    """Whether there is nothing to say: no run, no verdict, no news."""
    return not (past.runs or past.rows or untold)


def wins(past: Period, figures: Figures) -> list[Row]:
    """Return the merged experiments of the period worth reading: the largest gains first."""
    sign = 1.0 if figures.lower_is_better else -1.0
    landed = [row for row in past.rows if row.landed and row.effect is not None]
    return sorted(landed, key=lambda row: (sign * (row.effect or 0.0), row.number))[:WINS]


def dead_ends(past: Period) -> list[Row]:
    """Return failures with a lesson: the clearest measurements first, then crashes."""
    taught = [row for row in past.rows if row.is_dead_end and row.taught]

    def clearness(row: Row) -> tuple[bool, float, int]:
        if row.effect is None:
            return True, 0.0, row.number
        return False, -abs(row.effect) / (row.half_width or 1.0), row.number

    return sorted(taught, key=clearness)[:DEAD_ENDS]


def _facts(figures: Figures, past: Period) -> Iterator[tuple[str, str]]:
    if past.merged and past.merged < figures.landed:  # else that is the gain in the first line
        ends = f"{decimals(past.score_from, figures.digits)} → {decimals(past.score_to, figures.digits)}"
        yield "Incumbent, mean of its runs", ends
    yield "Experiments", f"{past.experiments:,}"
    yield "Merged", f"{past.merged:,}"
    yield "Crashed", f"{past.crashed:,}"
    yield device_words(figures), device_hours(past.gpu_seconds)
    yield "Spent on agents", money(past.cost_usd)
    each = past.cost_per_merge
    if each is not None:
        yield "Per merge", money(each)
    yield "Unread", debt_words(figures.debt)


def _whole(figures: Figures) -> str:
    each = figures.cost_per_merge
    return (
        f"{count(figures.total, 'experiment')}, {figures.landed:,} merged,"
        f" {device_hours(figures.gpu_seconds)} {device_words(figures)}, {money(figures.cost_usd)}"
        + ("" if each is None else f" ({money(each)} for each merge)")
    )


def _needs(figures: Figures) -> Iterator[Line]:
    reason = figures.stop_reason or ""
    if reason_of(reason).needs_human and figures.state == "stopped":
        yield stop_words(reason, figures.stop_detail)
    elif figures.state == "paused":
        yield say("The campaign is paused; `nocturne resume` lets it go on.")
    for text in warnings(figures):
        yield told(text, foreign=True)


def _reading(figures: Figures) -> Iterator[Line]:
    yield from reading_lines(figures, READING, explained=False)
    if len(figures.debt.groups) > READING:
        yield say("and {} more: `nocturne status` lists them.", len(figures.debt.groups) - READING)


def _win(row: Row, figures: Figures) -> Line:
    return say("{}. {}", merged(row, figures), row.explanation.why)


def _dead(row: Row) -> Line:
    return say("{} ({}): {}: {}", experiment(row), row.state, row.hypothesis, row.taught)


def _next(figures: Figures, limits: Stop) -> Iterator[Line]:
    yield say("The campaign is {}.", state_words(figures))
    yield (*say("Next: "), *next_line(figures))
    yield from waiting_lines(figures, READING)
    done = figures.total - figures.open
    left = [
        (limits.experiments, f"{done:,} of {limits.experiments or 0:,} experiments are done"),
        (
            limits.gpu_hours,
            f"{device_hours(figures.gpu_seconds)} of {limits.gpu_hours or 0:g} {device_words(figures)} are used",
        ),
        (limits.cost_usd, f"{money(figures.cost_usd)} of {limits.cost_usd or 0:g} are spent"),
        (limits.deadline, f"no new experiment after {limits.deadline}"),
    ]
    said = [text for limit, text in left if limit is not None]
    if said:
        yield say("{}.", "; ".join(said))
