"""What the history teaches: what was tried, where it crashed, what nearly won, what should rest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.agents.constants import Constant, canonical, literal_value
from bot.agents.offline.knobs import Knob
from bot.agents.offline.steps import coordinate
from bot.rules.outer.mechanisms.combine import LARGEST, near_misses
from bot.rules.outer.mechanisms.rest import rested
from bot.rules.proposal import Change, PastExperiment

Key = tuple[str, object]
Vector = tuple[Key | None, ...]


@dataclass(frozen=True)
class Lessons:
    """The history folded once, for the present incumbent.

    `tried` holds the full value vectors of every experiment and every incumbent; `sets` the (name, value)
    that were changed together; `singles` what was tried alone, by name and value; `barriers` the open
    interval of coordinates between crashes, by name; `near` the near misses, best first; `pending` the
    names that other loops work on; `won` the names whose change landed; `rested` the categories to rest.
    """

    names: tuple[str, ...]
    current: Mapping[str, Key]
    tried: frozenset[Vector]
    sets: frozenset[frozenset[tuple[str, Key]]]
    singles: Mapping[str, Mapping[Key, tuple[PastExperiment, ...]]]
    barriers: Mapping[str, tuple[float, float]]
    crashed: frozenset[tuple[str, Key]]
    near: tuple[PastExperiment, ...]
    pending: frozenset[str]
    won: frozenset[str]
    rested: frozenset[str]

    def vector(self, new: Mapping[str, Key]) -> Vector:
        """Return the full value vector of the incumbent with `new` values."""
        return tuple(new.get(name, self.current[name]) for name in self.names)


def lessons_of(
    constants: Sequence[Constant], knobs: Sequence[Knob], history: Sequence[PastExperiment]
) -> Lessons:
    """Fold `history` into lessons about `knobs`; experiments are read in the order of their numbers."""
    ordered = sorted(history, key=lambda past: past.number)
    names = tuple(constant.name for constant in constants)
    current = {constant.name: canonical(constant.literal) for constant in constants}
    singles: dict[str, dict[Key, list[PastExperiment]]] = {}
    for past in ordered:
        if len(past.changes) == 1:
            change = past.changes[0]
            singles.setdefault(change.name, {}).setdefault(canonical(change.new), []).append(past)
    return Lessons(
        names=names,
        current=current,
        tried=_tried(names, current, [past for past in ordered if not past.may_come_again]),
        sets=frozenset(
            frozenset((c.name, canonical(c.new)) for c in past.changes)
            for past in ordered
            if not past.may_come_again
        ),
        singles={
            name: {key: tuple(found) for key, found in tried.items()} for name, tried in singles.items()
        },
        barriers=_barriers(knobs, ordered),
        crashed=frozenset(
            (past.changes[0].name, canonical(past.changes[0].new))
            for past in ordered
            if past.verdict == "crashed" and len(past.changes) == 1
        ),
        near=_near(current, [past for past in ordered if past.claim is None]),
        pending=frozenset(c.name for past in ordered if past.verdict is None for c in past.changes),
        won=frozenset(c.name for past in ordered if past.landed for c in past.changes),
        rested=frozenset(category for category, _ in rested(_decided(ordered))),
    )


def _tried(
    names: Sequence[str], current: Mapping[str, Key], ordered: Sequence[PastExperiment]
) -> frozenset[Vector]:
    """Walk back from the present incumbent, undoing what landed, and note every vector on the way."""
    known = set(names)
    values: dict[str, Key] = dict(current)
    found: set[Vector] = {tuple(values.get(name) for name in names)}
    for past in reversed(ordered):
        mine = [change for change in past.changes if change.name in known]
        if past.landed:
            values.update({change.name: canonical(change.old) for change in mine})
        parent = values | {
            name: canonical(text) for name, text in past.parent_values.items() if name in known
        }
        found.add(tuple(parent.get(name) for name in names))
        after = parent | {change.name: canonical(change.new) for change in mine}
        found.add(tuple(after.get(name) for name in names))
    return frozenset(found)


def _barriers(knobs: Sequence[Knob], ordered: Sequence[PastExperiment]) -> dict[str, tuple[float, float]]:
    by_name = {knob.name: knob for knob in knobs if knob.kind != "choice"}
    barriers: dict[str, tuple[float, float]] = {}
    for past in ordered:
        if past.verdict != "crashed" or len(past.changes) != 1 or past.changes[0].name not in by_name:
            continue
        places = places_of(by_name[past.changes[0].name], past.changes[0])
        if places is None:
            continue
        low, high = barriers.get(past.changes[0].name, (-math.inf, math.inf))
        if places[1] > places[0]:
            high = min(high, places[1])
        else:
            low = max(low, places[1])
        barriers[past.changes[0].name] = (low, high)
    return barriers


def places_of(knob: Knob, change: Change) -> tuple[float, float] | None:
    """Return the coordinates of a change's old and new value, or None if they make no sense here."""
    old, new = literal_value(change.old), literal_value(change.new)
    if old is None or new is None:
        return None
    text = isinstance(knob.constant.value, str)
    if isinstance(old, str) is not text or isinstance(new, str) is not text:
        return None
    return coordinate(knob, old), coordinate(knob, new)


def _near(current: Mapping[str, Key], ordered: Sequence[PastExperiment]) -> tuple[PastExperiment, ...]:
    """Return the near misses that still differ from the incumbent, the best first."""
    return tuple(
        past
        for past in near_misses(ordered)
        if 1 <= len(past.changes) <= LARGEST
        and all(c.name in current and canonical(c.new) != current[c.name] for c in past.changes)
    )


def _decided(ordered: Sequence[PastExperiment]) -> list[PastExperiment]:
    return [past for past in ordered if past.claim is None and past.verdict is not None]
