"""Every next move worth considering: steps of one knob, near misses together, and what may not be tried."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.agents.constants import Value, canonical, literal_value
from bot.agents.offline.knobs import Knob
from bot.agents.offline.lessons import Key, Lessons, places_of
from bot.agents.offline.steps import coordinate, divisions_hold, literal, snapped, value_at
from bot.rules.proposal import PastExperiment

_FINEST = 0.12  # bold steps below which two values are the same for us
_PARTS = 10  # near misses considered for combinations


@dataclass(frozen=True)
class Candidate:
    """Values to set on the incumbent; `parents` are the near misses that they bring back."""

    values: Mapping[str, Value]
    parents: tuple[PastExperiment, ...] = ()


@dataclass(frozen=True)
class Search:
    """What may be turned, what is known of it, the incumbent's values, and the divisions to keep; `permits` says what
    else may be tried."""

    knobs: Mapping[str, Knob]
    lessons: Lessons
    values: Mapping[str, Value]
    pairs: tuple[tuple[str, str], ...]
    permits: Callable[[Mapping[str, Value]], bool] | None = None

    def singles(self) -> Iterator[Candidate]:
        """Yield the next steps of every knob: bold first, further if it won, finer between losses."""
        for name, knob in self.knobs.items():
            for value in self.steps(knob):
                yield Candidate({name: value})

    def steps(self, knob: Knob) -> Iterator[Value]:
        """Yield the next values of one knob."""
        here = knob.constant.value
        if knob.kind == "choice":
            yield from (choice for choice in knob.choices if choice != here)
            return
        place = coordinate(knob, here)
        if here == 0:
            start = 0.0 if knob.kind != "unit" else None
            if start is not None:
                yield from self.fitting(knob, [math.log2(knob.zero_start or 1.0) + k for k in (0, -2, 1, -4)])
                return
        down, up = self._nearest(knob, place)
        for sign, side, other in ((1, up, down), (-1, down, up)):
            if side is None:
                steps = [1.0, 0.5]
            elif other is None and not math.isinf(side[0]):
                # The other side first; here, only on in a direction that has not clearly lost.
                steps = [] if side[1] else [side[0] + 1.0]
            else:
                steps = [side[0] / 2 if not math.isinf(side[0]) else 0.5]
                steps += [] if side[1] else [side[0] + 1.0]
            reach = [place + sign * step for step in steps if step >= _FINEST]
            yield from itertools.islice(self.fitting(knob, reach), 1 if side is None else len(reach))

    def fitting(self, knob: Knob, places: Iterable[float]) -> Iterator[Value]:
        """Yield the tidy values near `places` that keep every division and change something."""
        for place in places:
            value = value_at(knob, place)
            if value is not None and (knob.kind == "power" or isinstance(value, int)):
                value = _away(knob, value, place)
            if value is not None:
                value = snapped(knob, value, self.values, self.pairs)
            if value is not None and value != knob.constant.value:
                yield value

    def _nearest(
        self, knob: Knob, place: float
    ) -> tuple[tuple[float, bool] | None, tuple[float, bool] | None]:
        """Return, down and up, the distance to the nearest value tried and whether it lost."""
        sides: list[tuple[float, bool] | None] = [None, None]
        points: list[tuple[float, bool]] = []
        for found in self.lessons.singles.get(knob.name, {}).values():
            for past in found:
                places = places_of(knob, past.changes[0])
                if places is None:
                    continue
                bad = past.verdict in ("crashed", "rejected") or (
                    past.effect is not None and past.effect > (past.sigma or 0.0)
                )
                points.append((places[1], bad))
                if past.landed:
                    points.append((places[0], True))  # what was left behind was worse
        for point, bad in points:
            distance = point - place
            index = 1 if distance > 0 else 0
            known = sides[index]
            if abs(distance) >= 1e-6 and (known is None or abs(distance) < known[0]):
                sides[index] = (abs(distance), bad)
        for index, sign in ((0, -1), (1, 1)):
            # A bound is a side that needs no trying.
            ahead = [value_at(knob, place + sign * step) for step in (1.0, 0.5)]
            if sides[index] is None and all(value in (None, knob.constant.value) for value in ahead):
                sides[index] = (math.inf, True)
        return sides[0], sides[1]

    def combinations(self, singles: Sequence[Candidate]) -> Iterator[Candidate]:
        """Yield near misses with one another, and with the next step of a knob that won."""
        parts: list[Candidate] = []
        seen: set[frozenset[tuple[str, Key]]] = set()
        for past in self.lessons.near:
            key = frozenset((change.name, canonical(change.new)) for change in past.changes)
            new = {change.name: literal_value(change.new) for change in past.changes}
            usable = {name: value for name, value in new.items() if value is not None and name in self.knobs}
            if key not in seen and len(usable) == len(past.changes):
                seen.add(key)
                parts.append(Candidate(usable, (past,)))
        parts = parts[:_PARTS]
        further = [single for single in singles if set(single.values) & self.lessons.won]
        for left, right in itertools.chain(
            itertools.combinations(parts, 2), itertools.product(parts, further)
        ):
            if not set(left.values) & set(right.values) and len(left.values) + len(right.values) <= 3:
                yield Candidate({**left.values, **right.values}, left.parents + right.parents)

    def any_pairs(self) -> Iterator[Candidate]:
        """Yield pairs of steps of two knobs: what is left when every single step was tried."""
        steps = [
            (name, value)
            for name, knob in self.knobs.items()
            for value in (
                [choice for choice in knob.choices if choice != knob.constant.value]
                if knob.kind == "choice"
                else self.fitting(
                    knob, [coordinate(knob, knob.constant.value) + step for step in (1, -1, 0.5, -0.5)]
                )
            )
        ]
        for (left, first), (right, second) in itertools.combinations(steps, 2):
            if left != right:
                yield Candidate({left: first, right: second})

    def allowed(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Keep what is new, within the crash bounds, within the divisions, and not taken by another loop."""
        kept: list[Candidate] = []
        seen = set(self.lessons.tried)
        for candidate in candidates:
            keys = {
                name: canonical(literal(self.knobs[name], value)) for name, value in candidate.values.items()
            }
            vector = self.lessons.vector(keys)
            # What did not land comes back only with something else, on whatever incumbent.
            again = frozenset(keys.items()) in self.lessons.sets
            if vector in seen or again or self.crashes(candidate.values):
                continue
            if self.permits is not None and not self.permits(candidate.values):
                continue
            if divisions_hold({**self.values, **candidate.values}, self.pairs):
                seen.add(vector)
                kept.append(candidate)
        return kept

    def crashes(self, values: Mapping[str, Value]) -> bool:
        """Say whether one of `values` crashed alone before, or lies beyond one that did."""
        for name, value in values.items():
            knob = self.knobs[name]
            if (name, canonical(literal(knob, value))) in self.lessons.crashed:
                return True
            if knob.kind != "choice":
                place, here = coordinate(knob, value), coordinate(knob, knob.constant.value)
                low, high = self.lessons.barriers.get(name, (-math.inf, math.inf))
                if (place >= high - 1e-9 and place > here) or (place <= low + 1e-9 and place < here):
                    return True
        return False


def _away(knob: Knob, value: Value, place: float) -> Value | None:
    """Move a whole number that rounded back onto the present value one step in the direction meant."""
    here = knob.constant.value
    if isinstance(here, str) or isinstance(value, str) or value != here:
        return value
    up = place > coordinate(knob, here)
    if knob.kind == "power":
        return None  # a power of two has nothing between itself and the next
    moved = int(here) + (1 if up else -1)
    return moved if knob.low <= moved <= knob.high else None
