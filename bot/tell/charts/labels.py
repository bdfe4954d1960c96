"""The words at the steps of the staircase: what each one was, as many as there is room for, the largest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from bot.base.text import one_line
from bot.tell.charts.frame import Frame
from bot.tell.figures.campaign import Figures

_WIDE, _HIGH, _AWAY = 7.0, 13.0, 7.0  # of a character, of a line, and how far from its step it begins
_LONG, _LEAST = (42, 32, 24, 18), 12  # characters of a label: the most that it may have first
_STEPS = 12
_EACH = 90.0  # pixels of width for each label
_DOT = 5.0
_LINES = 3  # lines that a label may be away from its step

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Label:
    """A text at the place of its first or last letter, by `anchor`."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "end"]


def labels_of(figures: Figures, frame: Frame) -> list[Label]:
    """Return the labels of the steps, none over another and none over a run: on the better side of the staircase, which
    is empty, if there is room to the left of the step, else on the other side of its tread, else a line further away,
    else shorter. A step has none if there is no room at all."""
    rows = {row.number: row for row in figures.rows}
    steps = [
        (abs(after.score - before.score), after)
        for before, after in pairwise(figures.staircase)
        if after.experiment in rows
    ]
    taken: list[Box] = []
    dots = [
        (frame.x.at(dot.place), frame.y.at(dot.score))
        for dot in figures.dots
        if dot.score is not None and frame.y.shows(dot.score)
    ]
    most = min(_STEPS, int(frame.width / _EACH))
    labels = []
    for _, stair in sorted(steps, key=lambda each: -each[0])[:most]:
        assert stair.experiment is not None
        words = f"#{stair.experiment} {one_line(rows[stair.experiment].hypothesis)}"
        x, y = frame.x.at(stair.place), frame.y.at(stair.score)
        tries = _tries(words, f"#{stair.experiment}", x, y, frame)
        for label, box in tries:
            if not any(_overlap(box, other) for other in taken) and not _covers(box, dots):
                taken.append(box)
                labels.append(label)
                break
    return labels


def _tries(words: str, short: str, x: float, y: float, frame: Frame) -> Iterator[tuple[Label, Box]]:
    """Yield the places for a label, the best first."""
    away = 1 if frame.lower_is_better else -1
    better, worse = (y + _HIGH - 1, y - 5) if frame.lower_is_better else (y - 5, y + _HIGH - 1)
    rooms = {"end": x - _AWAY - frame.left, "start": frame.right - x - _AWAY}
    sides: tuple[Literal["end", "start"], ...] = (
        ("end", "start") if rooms["end"] >= rooms["start"] / 2 else ("start", "end")
    )
    for most in (*_LONG, len(short)):
        for line in range(_LINES):
            for side in sides:
                room = min(most, int(rooms[side] / _WIDE))
                text = short if most == len(short) else one_line(words, room) if room >= _LEAST else ""
                if not text or len(text) > room:
                    continue
                base = better + line * away * _HIGH if side == "end" else worse - line * away * _HIGH
                at = x - _AWAY if side == "end" else x + _AWAY
                left = at - len(text) * _WIDE if side == "end" else at
                box = (left, base - _HIGH + 2, left + len(text) * _WIDE, base + 2)
                if frame.top <= box[1] and box[3] <= frame.bottom:
                    yield Label(at, base, text, side), box


def _covers(box: Box, dots: Sequence[tuple[float, float]]) -> bool:
    left, top, right, bottom = box
    return any(left - _DOT < x < right + _DOT and top - _DOT < y < bottom + _DOT for x, y in dots)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
