"""The morning's summary: in one minute what happened, what to look at, and whether to worry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.config import Stop
from bot.notify.message import Line, Message, Part, Words
from bot.notify.noteworthy import NEEDS_HUMAN, Notice, experiment, merged, stop_line
from bot.report.debt import debt_words, reading_title, size_words
from bot.report.figures import Figures
from bot.report.formats import NOTHING, count, gpu_hours, moment, money, score
from bot.report.period import Period
from bot.report.rows import Row
from bot.report.words import corrected_words, score_words, state_words, title, warnings

WINS, DEAD_ENDS, READING = 3, 3, 5


def morning_message(
    date: str, figures: Figures, past: Period, limits: Stop, *, untold: Sequence[Notice] = ()
) -> Message:
    """Return the summary of one date. `untold` are notices of the night that were not told yet."""
    first, last = score_words(figures)
    said = f"{figures.metric} {first} → {last}, {corrected_words(figures)}"
    parts = [
        Part("Told only now", tuple(notice.line for notice in untold if notice.line)),
        Part("Needs you", tuple(_needs(figures))),
        Part("Worth reading", tuple(_win(row, figures) for row in wins(past, figures))),
        Part(reading_title(figures.debt), tuple(_reading(figures))),
        Part("Dead ends that taught something", tuple(_dead(row) for row in dead_ends(past))),
        Part("What comes next", tuple(_next(figures, limits))),
    ]
    return Message(
        key=f"morning:{date}",
        title=f"{title(figures)}: the morning of {date}",
        summary=said,
        facts=tuple(_facts(figures, past)),
        parts=tuple(part for part in parts if part.lines),
        foot=f"Since {moment(past.since)}; the whole campaign: {_whole(figures)}.",
        chart=f"Progress of {title(figures)}: {first} to {last} in {count(figures.runs, 'run')}"
        if figures.dots
        else None,
    )


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
    taught = [row for row in past.rows if not row.landed and row.lesson.strip()]

    def clearness(row: Row) -> tuple[bool, float, int]:
        if row.effect is None:
            return True, 0.0, row.number
        return False, -abs(row.effect) / (row.half_width or 1.0), row.number

    return sorted(taught, key=clearness)[:DEAD_ENDS]


def _facts(figures: Figures, past: Period) -> Iterator[tuple[str, str]]:
    ends = f"{score(past.score_from, figures.digits)} → {score(past.score_to, figures.digits)}"
    yield "Score", ends
    yield "Experiments", f"{past.experiments:,}"
    yield "Merged", f"{past.merged:,}"
    yield "Crashed", f"{past.crashed:,}"
    yield "GPU-hours", gpu_hours(past.gpu_seconds)
    yield "Spent on agents", money(past.cost_usd)
    each = past.cost_per_merge
    yield "Per confirmed improvement", NOTHING if each is None else money(each)
    yield "Unread", debt_words(figures.debt)


def _whole(figures: Figures) -> str:
    each = figures.cost_per_merge
    return (
        f"{count(figures.total, 'experiment')}, {figures.landed:,} merged,"
        f" {gpu_hours(figures.gpu_seconds)} GPU-hours, {money(figures.cost_usd)}"
        + ("" if each is None else f" ({money(each)} for each confirmed improvement)")
    )


def _needs(figures: Figures) -> Iterator[Line]:
    if figures.stop_reason in NEEDS_HUMAN and figures.state == "stopped":
        yield stop_line(figures.stop_reason or "", figures.stop_detail)
    elif figures.state == "paused":
        yield (Words("The campaign is paused; `nocturne resume` lets it go on."),)
    for text in warnings(figures):
        yield (Words(text),)


def _reading(figures: Figures) -> Iterator[Line]:
    for row in figures.debt.reading[:READING]:
        said = f" ({size_words(row)}): {row.hypothesis.rstrip('.')}. {row.explanation.changed}"
        yield (experiment(row), Words(said))
    if len(figures.debt.reading) > READING:
        yield (Words(f"and {len(figures.debt.reading) - READING} more: `nocturne status` lists them."),)


def _win(row: Row, figures: Figures) -> Line:
    return (*merged(row, figures), Words(f". {row.explanation.why}"))


def _dead(row: Row) -> Line:
    return (experiment(row), Words(f" ({row.state}): {row.lesson}"))


def _next(figures: Figures, limits: Stop) -> Iterator[Line]:
    yield (Words(f"The campaign is {state_words(figures)}."),)
    for row in [row for row in figures.rows if row.open][:3]:
        yield (Words("Open: "), experiment(row), Words(f" ({row.state}): {row.hypothesis}"))
    done = figures.total - figures.open
    left = [
        (limits.experiments, f"{done:,} of {limits.experiments or 0:,} experiments are done"),
        (
            limits.gpu_hours,
            f"{gpu_hours(figures.gpu_seconds)} of {limits.gpu_hours or 0:g} GPU-hours are used",
        ),
        (limits.cost_usd, f"{money(figures.cost_usd)} of {limits.cost_usd or 0:g} are spent"),
        (limits.deadline, f"no new experiment after {limits.deadline}"),
    ]
    said = [text for limit, text in left if limit is not None]
    if said:
        yield (Words(f"{'; '.join(said)}."),)
