"""What is wrong with a search, in defined terms: each a figure of the trace with its threshold. Pure.

Every `EVERY` experiments the last `WINDOW` that ended are looked at. What is over its threshold is told, the first in
the order of `TERMS` leads to a steer (`mechanisms/strategy.py`), and what that advises ends before the next look.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.rules.outer.mechanisms.novel import same_value
from bot.rules.outer.view import Past, View

EVERY = 5  # experiments
WINDOW = 10  # experiments that ended
_LEAST = 4  # of them, before anything is said


@dataclass(frozen=True)
class Term:
    """A figure of the trace: what it says, and from which value on it is a finding that leads to a mechanism."""

    name: str
    about: str
    threshold: float
    leads_to: str
    measure: Callable[[View, Sequence[Past]], float]


@dataclass(frozen=True)
class Finding:
    """A term over its threshold."""

    term: str
    value: float
    threshold: float
    leads_to: str


def looked_at(number: int) -> int:
    """Return the experiment before which the last look was taken."""
    return number - (number - 1) % EVERY


def findings(view: View) -> list[Finding]:
    """Return what the last look found, the most telling first; nothing before there is enough to look at."""
    seen = view.before(looked_at(view.number))
    recent = seen.ended()[-WINDOW:]
    if len(recent) < _LEAST:
        return []
    values = ((term, term.measure(seen, recent)) for term in TERMS)
    return [
        Finding(term.name, round(value, 4), term.threshold, term.leads_to)
        for term, value in values
        if value >= term.threshold
    ]


def _repeats(view: View, recent: Sequence[Past]) -> float:
    """Return the share of experiments that set a constant alone to a value that had been tried alone."""
    return sum(_repeated(past, view.ended()) for past in recent) / len(recent)


def _repeated(past: Past, history: Sequence[Past]) -> bool:
    if len(past.moves) != 1 or past.edits:
        return False
    (mine,) = past.moves
    return any(
        len(one.moves) == 1
        and one.moves[0].constant == mine.constant
        and same_value(one.moves[0].new, mine.new)
        for one in history
        if one.number < past.number
    )


def _crashes(view: View, recent: Sequence[Past]) -> float:
    return sum(past.verdict == "crashed" for past in recent) / len(recent)


def _one_direction(view: View, recent: Sequence[Past]) -> float:
    """Return the share of experiments that moved one constant one way and failed, for the most frequent of these."""
    ways = Counter((m.constant, m.direction) for past in recent if past.failed for m in past.moves)
    return max(ways.values(), default=0) / len(recent)


def _one_category(view: View, recent: Sequence[Past]) -> float:
    """Return the share of the most frequent category, if none of it landed."""
    barren = {past.category for past in recent} - {past.category for past in recent if past.landed}
    count = Counter(past.category for past in recent if past.category in barren)
    return max(count.values(), default=0) / len(recent)


def _since_gain(view: View, recent: Sequence[Past]) -> float:
    """Return the number of experiments that ended since the last merge."""
    ended = view.ended()
    last = max((place for place, past in enumerate(ended, 1) if past.landed), default=0)
    return float(len(ended) - last)


def _untouched(view: View, recent: Sequence[Past]) -> float:
    """Return the share of the constants that no experiment has moved."""
    moved = {m.constant for past in view.past for m in past.moves}
    names = [each.name for each in view.constants]
    return sum(name not in moved for name in names) / len(names) if names else 0.0


def _small_effects(view: View, recent: Sequence[Past]) -> float:
    """Return the share of effects below the noise of one run, if there is any noise."""
    effects = [abs(past.effect) for past in recent if past.effect is not None]
    if not effects or view.noise <= 0:
        return 0.0
    return sum(effect < view.noise for effect in effects) / len(effects)


TERMS = (
    Term("crashes", "share that crashed", 0.4, "tabu", _crashes),
    Term("repeats", "share that set a value already tried", 0.3, "novel", _repeats),
    Term(
        "one direction", "share that failed with one constant moved one way", 0.3, "opposite", _one_direction
    ),
    Term("one category", "share of one category without a merge", 0.6, "rest", _one_category),
    Term("no gain", "experiments since the last merge", 15.0, "restart", _since_gain),
    Term("untouched", "share of constants that nobody has moved", 0.6, "kick", _untouched),
    Term("small effects", "share of effects below the noise of one run", 0.6, "combine", _small_effects),
)
