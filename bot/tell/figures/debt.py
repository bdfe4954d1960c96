"""What nobody has read yet of the merged changes, and the shortest reading that lets held ones land."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from bot.rules.campaign import Campaign
from bot.rules.human import needs_a_look, unread, waits
from bot.tell.figures.rows import Row
from bot.tell.numbers import count

OFFERED = 3  # merges to read if none has to be read yet
_FIRST, _PER_LINE = 1.0, 0.1  # minutes: to see what a change is about, and for each of its lines


@dataclass(frozen=True)
class Debt:
    """Merges that no human has read. `limit` is how many may be, None if that is not limited.

    `held` are the confirmed improvements that wait for a reader. `reading` is the shortest list that lets all of
    them land, or one more merge if none is held: as few merges as that takes, those of the fewest lines, oldest
    first. Before anything has to be read it is an offer of the shortest ones. `pauses` tells that the loop ends
    if the limit is reached.
    """

    merges: int
    lines: int
    limit: int | None
    held: tuple[int, ...]
    reading: tuple[Row, ...]
    pauses: bool = False

    @property
    def is_spent(self) -> bool:
        return self.limit is not None and self.merges >= self.limit

    @property
    def minutes(self) -> int:
        """About how long the reading takes."""
        return sum(max(map(minutes_of, rows)) for rows in self.groups)

    @property
    def groups(self) -> tuple[tuple[Row, ...], ...]:
        """What is to be read: steps of the same constants belong together, and are read as one change."""
        found: dict[object, list[Row]] = {}
        for row in self.reading:
            names = tuple(name for name, _, _ in row.constants)
            found.setdefault(names or row.number, []).append(row)
        return tuple(map(tuple, found.values()))


def debt_of(campaign: Campaign, rows: Mapping[int, Row], *, limit: int | None, pauses: bool = False) -> Debt:
    """Return what is unread of `campaign`, whose rows are `rows` by number."""
    merged = [rows[e.number] for e in unread(campaign)]
    waiting = [e for e in campaign.open_experiments() if waits(campaign, e, limit)]
    held = tuple(e.number for e in waiting if not needs_a_look(campaign, e))
    needed = OFFERED
    if limit is not None and len(merged) >= limit:
        needed = len(merged) - limit + max(1, len(held))
    order = {row.number: place for place, row in enumerate(merged)}
    shortest = sorted(merged, key=lambda row: (lines_of(row), order[row.number]))[:needed]
    return Debt(
        merges=len(merged),
        lines=sum(lines_of(row) for row in merged),
        limit=limit,
        held=held,
        reading=tuple(sorted(shortest, key=lambda row: order[row.number])),
        pauses=pauses,
    )


def lines_of(row: Row) -> int:
    """Return how many lines of a change there are to read."""
    return (row.added or 0) + (row.removed or 0)


def minutes_of(row: Row) -> int:
    """Return about how many minutes it takes to read a change."""
    return ceil(_FIRST + _PER_LINE * lines_of(row))


def debt_words(debt: Debt) -> str:
    """Return the debt as a phrase: `3 merges (42 lines; up to 10 may be unread)`."""
    if not debt.merges:
        return "none"
    allowed = "" if debt.limit is None else f"; up to {debt.limit:,} may be unread"
    return f"{count(debt.merges, 'merge')} ({count(debt.lines, 'line')}{allowed})"


def debt_warning(debt: Debt) -> str | None:
    """Return what follows from a spent budget, None if it is not spent."""
    if not debt.is_spent:
        return None
    held = ", ".join(str(number) for number in debt.held[:10])
    what = f"experiment{'s' if len(debt.held) > 1 else ''} {held}" if held else "further improvements"
    loop = "The loop has ended, and" if debt.pauses else "The loop goes on, but"
    merges = f"{count(debt.merges, 'merge')} {'waits' if debt.merges == 1 else 'wait'}"
    needed = f"{len(debt.reading):,} of them {'is' if len(debt.reading) == 1 else 'are'}"
    needed = "it is" if debt.merges == 1 else needed
    return (
        f"{merges} for a human to read. {loop} {what} will not be merged before {needed} read: about"
        f" {count(debt.minutes, 'minute')}."
    )


def reading_title(debt: Debt) -> str:
    """Return the heading of the reading list."""
    if debt.is_spent:
        return f"To read, so that merging goes on: about {count(debt.minutes, 'minute')}"
    return f"Not read by anybody yet: {debt_words(debt)}"


def steps_words(rows: Sequence[Row]) -> str:
    """Return the way of the constants that several changes move: `DEPTH 8 → 4 → 2`, or `DEPTH 8 → 4, 2 → 1` if another
    change went between."""
    said = []
    for steps in zip(*(row.constants for row in rows), strict=True):
        name, at, way = steps[0][0], "", ""
        for _, old, new in steps:
            way += f" → {new}" if old == at else f"{way and ', '}{old} → {new}"
            at = new
        said.append(f"{name} {way}")
    return "; ".join(said)


def size_words(row: Row) -> str:
    """Return the size of a change and how long it takes to read: `+4 −2, about 2 minutes`."""
    return f"+{row.added or 0} \u2212{row.removed or 0}, about {count(minutes_of(row), 'minute')}"
