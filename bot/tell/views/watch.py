"""What somebody watches while a campaign runs: the run in hand, the way so far, what waits, the last verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from bot.tell.document import Document, Paragraph, Words, cut, paragraph, small
from bot.tell.figures.campaign import Figures
from bot.tell.numbers import about, decimals
from bot.tell.views.campaign import latest_experiments
from bot.tell.views.queue import queue
from bot.tell.words import gain_words, level_note, state_words, way_words

_VERDICTS = 8
_WAITING = 4
_WIDTH = 60  # columns of a curve
_FRAME = 6  # columns beside a curve, its name and its ends
_BARS = "▁▂▃▄▅▆▇█"
_DONE, _LEFT = "━", "─"


def watching(
    figures: Figures,
    *,
    title: str | None,
    fraction: float = 0.0,
    left: float | None = None,
    losses: Sequence[float] = (),
    scoring: bool = False,
    width: int = 80,
) -> Document:
    """Return the screen, at most some 30 lines. `title` is what runs on this machine, None if nothing does; `fraction`
    of its budget is used, `left` seconds of it are, and `losses` is what its training said so far."""
    scores = [stair.score for stair in figures.staircase]
    return (
        paragraph("**{}**, {}", cut(way_words(figures), 120), gain_words(figures)),
        Paragraph((Words(state_words(figures), "soft", limit=200),)),
        *_now(title, fraction, left, losses, scoring, width),
        *_course("Incumbents", scores, None, width),
        *queue(figures, _WAITING),
        *latest_experiments(figures, latest=_VERDICTS, width=width),
        *small(level_note(figures)),
    )


def _now(
    title: str | None, fraction: float, left: float | None, losses: Sequence[float], scoring: bool, width: int
) -> Document:
    if title is None:
        return (paragraph("**Now:** nothing trains on this machine."),)
    done = round(20 * min(1.0, max(0.0, fraction)))
    bar = _DONE * done + _LEFT * (20 - done)
    rest = "scoring" if scoring else f"{100 * fraction:.0f} %"
    rest += "" if left is None else f", about {about(left)} of training left"
    return (
        paragraph("**Now:** {}", cut(title, 100)),
        paragraph("{} {}", bar, rest),
        *_course("Training loss", losses, 3, width),
    )


def _course(name: str, values: Sequence[float], digits: int | None, width: int) -> Document:
    """Return values as a line of bars that fits, with the first and the last one if they have `digits`; nothing of
    fewer than two. The gain stands above the incumbents' with the two scores that it is the difference of: their own
    means would be two more."""
    if len(values) < 2:
        return ()
    ends = "" if digits is None else f"{decimals(values[0], digits)} → {decimals(values[-1], digits)}"
    most = min(_WIDTH, max(2, width - _FRAME - len(name) - len(ends)))
    step = max(1, -(-len(values) // most))
    shown = [*values[::step][: most - 1], values[-1]]
    low, high = min(shown), max(shown)
    top = len(_BARS) - 1
    bars = "".join(
        _BARS[round(top * (value - low) / (high - low))] if high > low else _BARS[0] for value in shown
    )
    return (paragraph("{} {} {}", name, bars, ends) if ends else paragraph("{} {}", name, bars),)
