"""The progress chart as PNG, for places that show no SVG. Same data and same frame as `bot.tell.charts.svg`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.base.text import one_line
from bot.tell.charts.scale import tick_digits, ticks
from bot.tell.charts.svg import (
    GROUPS,
    MARGIN,
    Frame,
    axis_title,
    frame_of,
    group_of,
    legend_places,
    run_ticks,
    steps_of,
)
from bot.tell.figures.campaign import Figures
from bot.tell.numbers import MINUS, decimals

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

# The light colours of assets/chart.css; a message's picture can't follow its reader's taste.
PAPER, INK, SOFT, LINE, AXIS = "#ffffff", "#1d2433", "#667085", "#e4e7ec", "#98a2b3"
STAIR, BAND = "#12805c", "#e0efea"
COLOURS = {
    "improved": "#12805c",
    "inconclusive": "#b7791f",
    "discarded": "#98a2b3",
    "rejected": "#98a2b3",
    "lost": "#98a2b3",
    "open": "#2f6fde",
    "incumbent": "#3b5b92",
    "crashed": "#c2413b",
}
_RADIUS = {"improved": 4.5, "incumbent": 3.5, "inconclusive": 3.5}
_FINE = 4  # drawn so many times as large and made smaller, which smooths the edges
_OUT = 2  # pixels of the picture for each unit of the frame: sharp on a phone


def progress_png(figures: Figures, *, width: int = 800, height: int = 450) -> bytes:
    """Return the chart as a PNG of twice `width` by twice `height` pixels, for sharp screens."""
    from PIL import Image, ImageDraw  # only a message needs a picture

    image = Image.new("RGB", (width * _FINE, height * _FINE), PAPER)
    pen = _Pen(ImageDraw.Draw(image))
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
                _mark(pen, group if inside else "crashed", frame.x.at(dot.index + 1), y, frame.size)
    if not figures.dots:
        pen.text((frame.left + frame.right) / 2, 200, "Nothing has been measured yet.", SOFT, anchor="ms")
    out = io.BytesIO()
    image.resize((width * _OUT, height * _OUT), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


class _Pen:
    """Draws in the frame's units."""

    def __init__(self, draw: ImageDraw) -> None:
        from PIL import ImageFont

        self._draw = draw
        self._font = ImageFont.load_default(size=12 * _FINE)

    def text(self, x: float, y: float, text: str, colour: str, anchor: str = "ls") -> None:
        # The built-in font has few signs; what it lacks must not become empty boxes.
        shown = one_line(text).replace(MINUS, "-").encode("latin-1", "replace").decode("latin-1")
        self._draw.text((x * _FINE, y * _FINE), shown, fill=colour, font=self._font, anchor=anchor)

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float = 1) -> None:
        self._draw.line(_large(points), fill=colour, width=round(width * _FINE), joint="curve")

    def area(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        self._draw.polygon(_large(points), fill=colour)

    def circle(self, x: float, y: float, radius: float, fill: str, outline: str) -> None:
        place = _large([(x - radius, y - radius), (x + radius, y + radius)])
        self._draw.ellipse(place, fill=fill, outline=outline, width=round(1.5 * _FINE))


def _large(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(x * _FINE, y * _FINE) for x, y in points]


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
        for run in run_ticks(len(figures.dots), max(2, int((frame.right - frame.left) / 90))):
            x = frame.x.at(run)
            pen.line([(x, frame.bottom), (x, frame.bottom + 5)], AXIS)
            pen.text(x, frame.bottom + 19, f"{run:,}", SOFT, anchor="ms")
    pen.line([(frame.left, frame.bottom), (frame.right, frame.bottom)], AXIS)
    pen.text(frame.right, frame.height - 8, "runs, in the order they ended", INK, anchor="rs")
