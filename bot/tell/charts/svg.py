"""The progress chart: every run a dot, what was merged a staircase, the noise a band around it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from bot.base.text import one_line
from bot.tell.charts.frame import Frame
from bot.tell.charts.labels import labels_of
from bot.tell.charts.scale import Scale, robust_range, tick_digits, ticks
from bot.tell.figures.campaign import Figures
from bot.tell.figures.rows import HELD, Dot, Row
from bot.tell.figures.staircase import Stair
from bot.tell.numbers import LEVEL, count, decimals
from bot.tell.words import effect_words
from bot.tell.writers.html import escape

UNITS = {"val_bpb": "bits per byte"}
MARGIN = 12.0
COUNTED = "experiments, in the order they began"
EMPTY = ("Nothing has been measured yet.", "nocturne run measures the baseline first.")
# In this order they are painted, so that the rare and important lie on top.
GROUPS = ("discarded", "lost", "rejected", "open", "inconclusive", "incumbent", "held", "crashed", "improved")
LABELS = {
    "improved": "improved",
    "inconclusive": "inconclusive",
    "discarded": "discarded",
    "rejected": "rejected",
    "lost": "lost",
    "held": "held for a reader",
    "open": "no verdict yet",
    "incumbent": "incumbent, measured",
    "crashed": "failed run",
}


def chart_css() -> str:
    """Return the chart's style sheet: light, and dark if the reader prefers it."""
    return (files("bot.tell") / "assets" / "chart.css").read_text(encoding="utf-8")


def progress_svg(figures: Figures, *, width: int = 1040, height: int = 400, interactive: bool = False) -> str:
    """Return the chart as SVG, sizes in pixels.

    It stands alone, with its styles and a `<title>` for each dot. With `interactive` it is meant to stand in
    our HTML page, which brings the styles and the hover: each dot then carries its number in `data-i`.
    """
    frame, legend = frame_of(figures, width, height), _legend(figures, width)
    name = escape(f"Progress of {figures.name}" if figures.name else "Progress")
    size = f'viewBox="0 0 {width} {height}" class="chart" role="img" aria-label="{name}"'
    if interactive:
        parts = [f"<svg {size}>"]
    else:
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {size}>',
            f"<title>{name}</title><style>{chart_css()}</style>",
            f'<rect class="paper" width="{width}" height="{height}"/>',
        ]
    parts += _axes(figures, frame)
    if figures.dots:
        band, line = _staircase(figures, frame)
        dots = _dots(figures, frame, titles=not interactive)
        # Thousands of dots would bury the line; a few would be hidden by it.
        labels = [
            f'<text class="step" x="{each.x:.1f}" y="{each.y:.1f}" text-anchor="{each.anchor}">'
            f"{escape(each.text)}</text>"
            for each in labels_of(figures, frame)
        ]
        if is_crowded(figures):
            parts += [*legend, band, *dots, line, *labels]
        else:  # no word hides a run
            parts += [*legend, band, line, *labels, *dots]
    else:
        across, down = (frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2
        for row, said in enumerate(EMPTY):
            spot = f'x="{across:.0f}" y="{down + 22 * row:.0f}" text-anchor="middle"'
            parts.append(f'<text class="empty" {spot}>{said}</text>')
    parts.append("</svg>")
    return "\n".join(parts)


def frame_of(figures: Figures, width: int, height: int) -> Frame:
    """Return where the axes stand on a picture of this size, below the legend."""
    rows = legend_places(figures, width)[1]
    left, right, top, bottom = 66.0, width - 16.0, 40.0 + 20.0 * rows, height - 46.0
    scores = [dot.score for dot in figures.dots if dot.score is not None]
    low, high = robust_range(scores, [s.score for s in figures.staircase], figures.noise.sigma or 0.0)
    last = max(1.0, float(figures.total), *(dot.place for dot in figures.dots))
    return Frame(
        width,
        height,
        left,
        right,
        top,
        bottom,
        # Half a step of air on both sides keeps the first and the last dot off the edges.
        x=Scale(-0.5, last + 0.5, left + 4, right - 4),
        y=Scale(low, high, bottom - 14, top + 14),
        lower_is_better=figures.lower_is_better,
        size=0.7 if is_crowded(figures) else 1.0,
    )


def is_crowded(figures: Figures) -> bool:
    """Whether there are so many dots that they would hide each other."""
    return len(figures.dots) > 400


def group_of(dot: Dot) -> str:
    """Return by which mark a dot is shown."""
    if dot.score is None:
        return "crashed"
    if dot.kind != "candidate":
        return "incumbent"
    if dot.state in HELD:
        return "held"
    return dot.state if dot.state in LABELS else "open"


def legend_places(figures: Figures, width: int) -> tuple[list[tuple[str, str, float, float]], int]:
    """Return the legend's entries as group, label and place of the label's line, and how many lines they take."""
    present = {group_of(dot) for dot in figures.dots}
    entries = [(group, label) for group, label in LABELS.items() if group in present]
    if figures.staircase:
        entries += [("stair", "incumbent"), ("band", "noise of one run (one sigma)")]
    x, line, places = MARGIN, 0, []
    for group, label in entries:
        wide = 24 + 6.6 * len(label) + 14
        if x + wide > width and x > MARGIN:
            x, line = MARGIN, line + 1
        places.append((group, label, x, 42.0 + 20 * line))
        x += wide
    return places, line + 1 if entries else 0


def _legend(figures: Figures, width: int) -> list[str]:
    return [
        f'<g class="key">{_key(group, x + 8, y - 4)}<text x="{x + 21:.1f}" y="{y:.0f}">{label}</text></g>'
        for group, label, x, y in legend_places(figures, width)[0]
    ]


def _key(group: str, x: float, y: float) -> str:
    if group == "stair":
        return f'<path class="stair" d="M{x - 8:.1f} {y:.1f}h16"/>'
    if group == "band":
        return f'<rect class="band" x="{x - 8:.1f}" y="{y - 5:.1f}" width="16" height="10"/>'
    return f'<g class="{group}">{_mark(group, x, y, "")}</g>'


def _axes(figures: Figures, frame: Frame) -> list[str]:
    parts = [f'<text class="label" x="{MARGIN:.0f}" y="20">{escape(axis_title(figures))}</text>']
    if figures.dots:
        marks = ticks(frame.y.low, frame.y.high, max(3, int((frame.bottom - frame.top) / 52)))
        digits = tick_digits(marks)
        for value in marks:
            y = frame.y.at(value)
            parts.append(f'<path class="grid" d="M{frame.left:.1f} {y:.1f}H{frame.right:.1f}"/>')
            parts.append(
                f'<text class="tick" x="{frame.left - 9:.1f}" y="{y + 4:.1f}" text-anchor="end">'
                f"{decimals(value, digits)}</text>"
            )
        for value in experiment_ticks(figures.total, max(2, int((frame.right - frame.left) / 90))):
            x = frame.x.at(value)
            parts.append(f'<path class="axis" d="M{x:.1f} {frame.bottom:.1f}v5"/>')
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{frame.bottom + 19:.1f}" text-anchor="middle">'
                f"{value:,}</text>"
            )
    parts.append(f'<path class="axis" d="M{frame.left:.1f} {frame.bottom:.1f}H{frame.right:.1f}"/>')
    parts.append(
        f'<text class="label" x="{frame.right:.1f}" y="{frame.height - 8}" text-anchor="end">{COUNTED}</text>'
    )
    return parts


def axis_title(figures: Figures) -> str:
    """Return what the picture shows, and which way is better."""
    unit = UNITS.get(figures.metric)
    better = "lower is better" if figures.lower_is_better else "higher is better"
    return ", ".join(part for part in (one_line(figures.metric, 40), unit, better) if part)


def experiment_ticks(total: int, about: int) -> list[int]:
    """Return which experiments the axis names; 0 is the baseline."""
    if total <= about:
        return list(range(total + 1))
    return [int(value) for value in ticks(0, total, about) if value == int(value)]


def _staircase(figures: Figures, frame: Frame) -> tuple[str, str]:
    """Return the band of the noise and the line."""
    if not figures.staircase:
        return "", ""
    sigma = figures.noise.sigma or 0.0
    line = steps_of(figures.staircase, frame, 0.0)
    upper = steps_of(figures.staircase, frame, sigma)
    lower = steps_of(figures.staircase, frame, -sigma)
    corners = [*upper, *reversed(lower)]
    path = _path(line)
    halo = f'<path class="halo" d="{path}"/>' if is_crowded(figures) else ""
    return f'<path class="band" d="{_path(corners)}Z"/>', f'{halo}<path class="stair" d="{path}"/>'


def steps_of(stairs: Sequence[Stair], frame: Frame, shift: float) -> list[tuple[float, float]]:
    """Return the staircase's corners, moved by `shift` in score units."""
    points: list[tuple[float, float]] = []
    for stair in stairs:
        x, y = frame.x.at(stair.place), frame.y.at(stair.score + shift)
        if points:
            points.append((x, points[-1][1]))
        points.append((x if points else frame.left, y))
    points.append((frame.right, points[-1][1]))
    return points


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _dots(figures: Figures, frame: Frame, *, titles: bool) -> list[str]:
    rows = {row.number: row for row in figures.rows}
    groups: dict[str, list[str]] = {group: [] for group in GROUPS}
    for dot in figures.dots:
        group = group_of(dot)
        x = frame.x.at(dot.place)
        if titles:
            row = rows.get(dot.experiment) if dot.experiment is not None else None
            inside = f"<title>{escape(dot_title(dot, row, figures.digits))}</title>"
            groups[group].append(f"<g>{inside}{_place(group, dot, x, frame, '')}</g>")
        else:
            groups[group].append(_place(group, dot, x, frame, f' data-i="{dot.index}"'))
    many = " many" if is_crowded(figures) else ""
    return [
        f'<g class="dots {group}{many}">' + "".join(marks) + "</g>"
        for group, marks in groups.items()
        if marks
    ]


def _place(group: str, dot: Dot, x: float, frame: Frame, data: str) -> str:
    if dot.score is None:
        return _mark(group, x, frame.worse_edge, data, frame.size)
    if frame.y.shows(dot.score):
        return _mark(group, x, frame.y.at(dot.score), data, frame.size)
    # Off the scale: an arrow at the edge it left by.
    up = dot.score > frame.y.high
    y, tip = (frame.top + 10, -7) if up else (frame.bottom - 10, 7)
    return f'<path class="off" d="M{x - 4:.1f} {y:.1f}h8l-4 {tip}z"{data}/>'


def _mark(group: str, x: float, y: float, data: str, size: float = 1.0) -> str:
    if group == "crashed":
        arm = 3.5 * size
        full = f"{2 * arm:g}"
        return f'<path d="M{x - arm:.1f} {y - arm:.1f}l{full} {full}m0-{full}l-{full} {full}"{data}/>'
    radius = {"improved": 4.5, "held": 4.5, "incumbent": 3.5, "inconclusive": 3.5}.get(group, 3) * size
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"{data}/>'


def dot_title(dot: Dot, row: Row | None, digits: int) -> str:
    """Return the words behind one dot: what was tried, what came out."""
    digits = digits if row is None or row.digits is None else row.digits
    value = (
        f"failed: {one_line(dot.failure or '', 120)}" if dot.score is None else decimals(dot.score, digits)
    )
    if row is None:
        return f"{dot.kind}: {value}"
    said = f"#{row.number} {one_line(row.hypothesis, 140)}\n{value}, {row.state}"
    if row.effect is not None:
        said += f", effect {effect_words(row, digits)} ({LEVEL}, {count(row.candidate_runs, 'run')})"
    return said
