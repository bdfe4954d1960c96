"""Minds with the habits of recorded ones: what they turn first, how they go on, and how often they repeat themselves.

`habits.json` is fitted to recorded campaigns (`python -m tests.benchmarks.outer.fit --traces DIR`). A mind sees the
history that it is shown and the incumbent's settings. At the beginning of a history it makes a plan, which it keeps as
long as its history begins there: an order of favourites, and for each constant the direction that it believes in. In
recorded first histories nobody tried the direction that pays within ten moves, in a third of those that began anew
somebody did: a plan made anew is drawn more freely. Nothing here knows a landscape.
"""

from __future__ import annotations

import json
import random
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import exp, log
from pathlib import Path
from typing import Any

from tests.benchmarks.outer.landscapes import dimensions, tidied

HABITS = Path(__file__).with_name("habits.json")
HEEDS = 0.8
"""How often a mind that is told where to look, or where not to, does so at once. A guess: no record tells."""
INSISTS = 0.3
"""How often a mind hands in again what came back as a repeat. A guess as well."""
_FARTHEST = 3.0  # bold steps from the start
_SURE = 0.95  # no habit is without exception
_JITTER = 0.2  # of a step's logarithm: minds like round numbers, and not always the same
_STEPS, _SIZES = (0.6, 0.9, 1.0), (1.0, 0.5, 0.25)
_THINKS = 6  # times that a mind thinks again before it repeats itself by chance
_MODELS_DIFFER = 0.3  # of two models of one kind: how many directions they believe in otherwise


@dataclass(frozen=True)
class Kind:
    """A kind of mind. Shares of its moves: exact repeats, edits; after one on a constant that was refused, or kept,
    that stay on it, and of these that go the same way. `breadth`: over how many constants moves spread."""

    repeats: float
    edits: float
    stay_refused: float
    stay_kept: float
    same_refused: float
    same_kept: float
    breadth: float
    agrees_first: float
    agrees_anew: float


@dataclass(frozen=True)
class Seen:
    """An experiment as a mind reads it in its history: which constants it turned, from where and to where in bold
    steps (none: it was an edit), and whether it landed."""

    number: int
    turned: tuple[tuple[str, float, float], ...]
    landed: bool


@dataclass(frozen=True)
class Move:
    """What a mind proposes: a constant and its new place, or (no name) an edit."""

    name: str = ""
    place: float = 0.0


@dataclass(frozen=True)
class Told:
    """What a mind reads beside its history: constants to look at (empty: all) and to leave alone, each with the
    direction that is meant (0: both), what came back in this experiment, and with which experiment what it is shown
    begins."""

    start: int = 1
    focus: tuple[tuple[str, int], ...] = ()
    avoid: tuple[tuple[str, int], ...] = ()
    back: tuple[Move, ...] = ()


@lru_cache(maxsize=1)
def _habits() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(HABITS.read_text("utf-8"))
    return found


@lru_cache(maxsize=8)
def kind(name: str) -> Kind:
    """Return a kind of mind as it was fitted. Raises `KeyError` for one that there is not."""
    habits, smaller = _habits()["kinds"][name], _habits()["smaller batch"]
    shares = {each: min(_SURE, habits[each]) for each in Kind.__dataclass_fields__ if each in habits}
    shares["breadth"] = habits["breadth"]
    against = {when: (1 + counts[0]) / (2 + sum(counts)) for when, counts in smaller.items()}
    return Kind(**shares, agrees_first=1 - against["first"], agrees_anew=1 - against["anew"])


class Mind:
    """One model in one campaign."""

    def __init__(self, name: str, seed: int, model: int = 0) -> None:
        self.kind, self.seed, self.model = kind(name), seed, model
        rng = random.Random(f"mind/{name}/{seed}/{model}")
        known = {each.name for each in dimensions()}
        fitted = {name: each for name, each in _habits()["favourites"].items() if name in known}
        early = {name: each[0] * exp(0.5 * rng.gauss(0, 1)) for name, each in fitted.items()}
        self.weights = _spread_over(early, min(self.kind.breadth, 0.9 * len(early)))
        self.believes = {name: 1 if each[1] > 0.5 else -1 for name, each in fitted.items()}
        for name in self.believes:
            if (model or fitted[name][1] == 0.5) and rng.random() < _MODELS_DIFFER:
                self.believes[name] *= -1
        self._plans: dict[int, dict[str, int]] = {}

    def favourites(self) -> dict[str, int]:
        """Return the constants, the one that it turns most first, with the direction that it believes in."""
        return {name: self.believes[name] for name in sorted(self.weights, key=lambda n: -self.weights[n])}

    def propose(self, history: Sequence[Seen], places: Mapping[str, float], number: int, told: Told) -> Move:
        """Return the next move. `history` is what it is shown, `places` are the incumbent's.

        It knows what it is shown: it sets a constant to a value tried before as often as its habit is, not by chance.
        """
        rng = random.Random(f"move/{self.seed}/{self.model}/{number}/{len(told.back)}")
        heeds = rng.random() < HEEDS
        if told.back and not heeds and rng.random() < INSISTS:
            return told.back[-1]
        if not told.back and rng.random() < self.kind.repeats:
            old = [seen for seen in history if len(seen.turned) == 1 and not seen.landed]
            fitting = [seen for seen in old[-10:] if seen.turned[0][2] != places[seen.turned[0][0]]]
            if fitting:
                name, _, place = rng.choice(fitting).turned[0]
                return Move(name, place)
        tried = {seen.turned[0][::2] for seen in history if len(seen.turned) == 1}
        for _ in range(_THINKS):
            move = self._think(rng, history, places, told, heeds=heeds)
            if not move.name or (move.name, move.place) not in tried:
                break
        return move

    def _think(
        self,
        rng: random.Random,
        history: Sequence[Seen],
        places: Mapping[str, float],
        told: Told,
        *,
        heeds: bool,
    ) -> Move:
        """Return something to do: go on, make an edit, or take up another constant."""
        last = history[-1] if history else None
        turned = last.turned[0] if last is not None and last.turned else None
        barred = {move.name for move in told.back} if heeds else set()
        if turned is not None and turned[0] not in barred and last is not None:
            stay = self.kind.stay_kept if last.landed else self.kind.stay_refused
            if rng.random() < stay and not (heeds and (told.focus or _meant(told, turned[0]) < 0)):
                move = self._go_on(rng, turned, places, landed=last.landed)
                if not (heeds and (move.name, 1 if move.place > places[move.name] else -1) in told.avoid):
                    return move
        if "" not in barred and rng.random() < self.kind.edits and not (heeds and told.focus):
            return Move()
        return self._begin(rng, places, told, barred, heeds=heeds)

    def _go_on(
        self,
        rng: random.Random,
        turned: tuple[str, float, float],
        places: Mapping[str, float],
        *,
        landed: bool,
    ) -> Move:
        """Stay on a constant: the same way, further or less far, or the other way."""
        name, before, after = turned
        step = after - before or 1.0
        same = rng.random() < (self.kind.same_kept if landed else self.kind.same_refused)
        size = (rng.choice((0.5, 1.0)) if landed else rng.choice((0.5, 0.7, 1.5))) * exp(
            _JITTER * rng.gauss(0, 1)
        )
        place = _within(places[name] + (step if same else -step) * size)
        return Move(name, tidied(name, place, places[name]))

    def _begin(
        self, rng: random.Random, places: Mapping[str, float], told: Told, barred: set[str], *, heeds: bool
    ) -> Move:
        """Take up a constant: one of its favourites, the way that its plan says."""
        weights = {name: weight for name, weight in self.weights.items() if name not in barred}
        if heeds:
            inside = {name: weight for name, weight in weights.items() if _meant(told, name) > 0}
            weights = inside or {n: w for n, w in weights.items() if _meant(told, n) >= 0} or weights
        weights = weights or self.weights
        names, sums = list(weights), list(accumulate(weights.values()))
        name = names[min(bisect(sums, rng.random() * sums[-1]), len(names) - 1)]
        way = self._plan(told.start)[name]
        if heeds:
            way = next((w for n, w in told.focus if n == name and w), way)
            way = -way if (name, way) in told.avoid else way
        size = _SIZES[bisect(_STEPS, rng.random() * 0.999)] * exp(_JITTER * rng.gauss(0, 1))
        return Move(name, tidied(name, _within(places[name] + way * size), places[name]))

    def _plan(self, start: int) -> dict[str, int]:
        """Return which way each constant goes, as long as the history begins at experiment `start`."""
        if start not in self._plans:
            rng = random.Random(f"plan/{self.seed}/{self.model}/{start}")
            agrees = self.kind.agrees_first if start == 1 else self.kind.agrees_anew
            self._plans[start] = {
                name: way if rng.random() < agrees else -way for name, way in self.believes.items()
            }
        return self._plans[start]


def _meant(told: Told, name: str) -> int:
    """Return 1 if a constant is one to look at, -1 if it is to be left alone whichever way, else 0."""
    if (name, 0) in told.avoid:
        return -1
    if not told.focus:
        return 0
    return 1 if any(each == name for each, _ in told.focus) else -1


def _within(place: float) -> float:
    beyond = abs(place) - _FARTHEST  # no mind sets a constant to a thousandth: it turns back
    return place if beyond <= 0 else max(0.0, _FARTHEST - beyond) * (1 if place > 0 else -1)


def _spread_over(early: Mapping[str, float], breadth: float) -> dict[str, float]:
    """Return weights in the order of `early` whose entropy is that of moves spread over `breadth` constants."""
    low, high = 0.0, 8.0
    for _ in range(40):
        power = (low + high) / 2
        weights = {name: each**power for name, each in early.items()}
        total = sum(weights.values())
        wide = exp(-sum(w / total * log(w / total) for w in weights.values() if w > 0))
        low, high = (power, high) if wide > breadth else (low, power)
    return {name: weight / total for name, weight in weights.items()}
