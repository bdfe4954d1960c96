"""The progress chart as PNG, for places that show no SVG. Same data and same frame as `bot.tell.charts.svg`."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bot.base.text import one_line
from bot.tell.charts.frame import Frame
from bot.tell.charts.labels import labels_of
from bot.tell.charts.scale import tick_digits, ticks
from bot.tell.charts.svg import (
    COUNTED,
    EMPTY,
    GROUPS,
    MARGIN,
    axis_title,
    experiment_ticks,
    frame_of,
    group_of,
    legend_places,
    steps_of,
)
from bot.tell.figures.campaign import Figures
from bot.tell.numbers import MINUS, count, decimals, device_hours
from bot.tell.words import device_words, gain_words, level_note, score_words, title, where_words

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

# The light colours of assets/chart.css; a message's picture can't follow its reader's taste.
PAPER, INK, SOFT, LINE, AXIS = "#ffffff", "#1d2433", "#667085", "#e4e7ec", "#98a2b3"
STAIR, BAND = "#12805c", "#e0efea"
COLOURS = {
    "improved": "#12805c",
    "inconclusive": "#b7791f",
    "discarded": "#98a2b3",
    "rejected": "#98a2b3",
    "lost": "#98a2b3",
    "held": "#7a4fbf",
    "open": "#2f6fde",
    "incumbent": "#3b5b92",
    "crashed": "#c2413b",
}
_RADIUS = {"improved": 4.5, "held": 4.5, "incumbent": 3.5, "inconclusive": 3.5}
_FINE = 4  # drawn so many times as large and made smaller, which smooths the edges
_SHARED = (1200, 630)  # what sites that show links crop nothing of
_OUT = 2  # pixels of the picture for each unit of the frame: sharp on a phone


def progress_png(figures: Figures, *, width: int = 800, height: int = 450) -> bytes:
    """Return the chart as a PNG of twice `width` by twice `height` pixels, for sharp screens."""
    return _png(width, height, lambda pen: _chart(pen, figures, width, height))


def share_png(figures: Figures) -> bytes:
    """Return a picture to share, 2400 by 1260 pixels: what was searched, from which score to which, the gain and how it
    was measured, and the chart."""
    first, last = score_words(figures)
    known = figures.best is not None
    said = f"{one_line(figures.metric, 30)} {first} to {last}" if known else "not measured yet"
    hours = f"{device_hours(figures.gpu_seconds)} {device_words(figures)}"
    made = f"{count(figures.total, 'experiment')}, {figures.landed:,} merged, {hours}. {level_note(figures)}"

    def draw(pen: _Pen) -> None:
        pen.text(40, 52, one_line(where_words(figures), 150), SOFT, size=15)
        pen.text(40, 92, one_line(f"{title(figures)}: {said}", 60), INK, size=34)
        pen.text(40, 126, one_line(gain_words(figures), 120), STAIR, size=20)
        _chart(pen.below(146, 20), figures, _SHARED[0] - 40, _SHARED[1] - 146 - 44)
        pen.text(40, _SHARED[1] - 20, one_line(made, 150), SOFT, size=14)
        pen.text(_SHARED[0] - 40, _SHARED[1] - 20, "Nocturne", SOFT, anchor="rs", size=14)

    return _png(*_SHARED, draw)


def _png(width: int, height: int, draw: Callable[[_Pen], None]) -> bytes:
    from PIL import Image, ImageDraw  # only who wants a picture waits for it

    image = Image.new("RGB", (width * _FINE, height * _FINE), PAPER)
    draw(_Pen(ImageDraw.Draw(image)))
    out = io.BytesIO()
    image.resize((width * _OUT, height * _OUT), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


def _chart(pen: _Pen, figures: Figures, width: int, height: int) -> None:
    frame = frame_of(figures, width, height)
    pen.text(MARGIN, 20, axis_title(figures), INK)
    for group, label, x, y in legend_places(figures, width)[0]:
        _key(pen, group, x + 8, y - 4)
        pen.text(x + 21, y, label, SOFT)
    _axes(pen, figures, frame)
    if figures.staircase:
        sigma = figures.noise.sigma or 0.0
        upper, lower = (steps_of(figures.staircase, frame, shift) for shift in (sigma, -sigma))
        pen.area([*upper, *reversed(lower)], BAND)
        pen.line(steps_of(figures.staircase, frame, 0.0), STAIR, 2)
    places = [(group_of(dot), dot) for dot in figures.dots]
    for wanted in GROUPS:
        for group, dot in places:
            if group == wanted:
                inside = dot.score is not None
                y = frame.y.at(dot.score) if dot.score is not None else frame.worse_edge
                _mark(pen, group if inside else "crashed", frame.x.at(dot.place), y, frame.size)
    for each in labels_of(figures, frame):
        pen.text(each.x, each.y, each.text, INK, anchor="ls" if each.anchor == "start" else "rs", halo=True)
    for place, said in enumerate(() if figures.dots else EMPTY):
        across, down = (frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2
        pen.text(across, down + 20 * place, said, SOFT, anchor="ms")


class _Pen:
    """Draws in the frame's units, `down` and `right` of the picture's corner."""

    def __init__(self, draw: ImageDraw, down: float = 0.0, right: float = 0.0) -> None:
        self._draw, self._down, self._right = draw, down, right

    def below(self, down: float, right: float) -> _Pen:
        """Return a pen whose corner lies so far down and to the right."""
        return _Pen(self._draw, down, right)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        colour: str,
        anchor: str = "ls",
        *,
        size: int = 12,
        halo: bool = False,
    ) -> None:
        # The built-in font has few signs; what it lacks must not become empty boxes.
        shown = one_line(text).replace(MINUS, "-").replace("\u2192", "to").replace("\u2026", "...")
        self._draw.text(
            self._large([(x, y)])[0], shown.encode("latin-1", "replace").decode("latin-1"), fill=colour,
            font=_font(size), anchor=anchor, stroke_width=2 * _FINE if halo else 0, stroke_fill=PAPER,
        )  # fmt: skip

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float = 1) -> None:
        self._draw.line(self._large(points), fill=colour, width=round(width * _FINE), joint="curve")

    def area(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        self._draw.polygon(self._large(points), fill=colour)

    def circle(self, x: float, y: float, radius: float, fill: str, outline: str) -> None:
        place = self._large([(x - radius, y - radius), (x + radius, y + radius)])
        self._draw.ellipse(place, fill=fill, outline=outline, width=round(1.5 * _FINE))

    def _large(self, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [((x + self._right) * _FINE, (y + self._down) * _FINE) for x, y in points]


@functools.cache
def _font(size: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size=size * _FINE)


def _key(pen: _Pen, group: str, x: float, y: float) -> None:
    if group == "stair":
        pen.line([(x - 8, y), (x + 8, y)], STAIR, 2)
    elif group == "band":
        pen.area([(x - 8, y - 5), (x + 8, y - 5), (x + 8, y + 5), (x - 8, y + 5)], BAND)
    else:
        _mark(pen, group, x, y, 1.0)


def _mark(pen: _Pen, group: str, x: float, y: float, size: float) -> None:
    colour = COLOURS[group]
    if group == "crashed":
        arm = 3.5 * size
        pen.line([(x - arm, y - arm), (x + arm, y + arm)], colour, 1.8)
        pen.line([(x - arm, y + arm), (x + arm, y - arm)], colour, 1.8)
        return
    fill = PAPER if group == "incumbent" else colour
    pen.circle(x, y, _RADIUS.get(group, 3) * size, fill, PAPER if group == "improved" else colour)


def _axes(pen: _Pen, figures: Figures, frame: Frame) -> None:
    if figures.dots:
        marks = ticks(frame.y.low, frame.y.high, max(3, int((frame.bottom - frame.top) / 52)))
        for value in marks:
            y = frame.y.at(value)
            pen.line([(frame.left, y), (frame.right, y)], LINE)
            pen.text(frame.left - 9, y + 4, decimals(value, tick_digits(marks)), SOFT, anchor="rs")
        for run in experiment_ticks(figures.total, max(2, int((frame.right - frame.left) / 90))):
            x = frame.x.at(run)
            pen.line([(x, frame.bottom), (x, frame.bottom + 5)], AXIS)
            pen.text(x, frame.bottom + 19, f"{run:,}", SOFT, anchor="ms")
    pen.line([(frame.left, frame.bottom), (frame.right, frame.bottom)], AXIS)
    pen.text(frame.right, frame.height - 8, COUNTED, INK, anchor="rs")
