"""Moves of several knobs at once: the values within reach, and a search among their combinations."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bot.agents.constants import Value
from bot.agents.offline.knobs import Knob
from bot.agents.offline.model import Array, Ids, Points
from bot.agents.offline.moves import Search
from bot.agents.offline.steps import coordinate
from bot.agents.offline.surface import Surface
from bot.rules.proposal import PastExperiment

_FIRST_REACH, _MOST_REACH, _LEAST_REACH, _AGAIN = 1.3, 1.6, 0.25, 1.0  # bold steps
_WIDER, _NARROWER = 1.4, 0.88
_SHARES = (0.2, 0.4, 0.7, 1.0)
_AT_ONCE = 24  # knobs considered for one move
_DRAWN = 200  # combinations drawn blindly
_BEST, _ROUNDS = 2, 6  # the best are varied by one knob, so many times
_FEWER = 0.99  # for each further knob: a change of few is easier to understand


def reach_of(history: Sequence[PastExperiment]) -> float:
    """Return how far a move goes, in bold steps: further after a gain, nearer after each try without one.

    A trust region in the manner of D. Eriksson et al., Scalable Global Optimization via Local Bayesian Optimization
    (2019).
    """
    size = _FIRST_REACH
    for past in sorted(history, key=lambda past: past.number):
        if past.landed:
            size = min(_MOST_REACH, size * _WIDER)
        elif past.verdict is not None:
            size *= _NARROWER
            size = _AGAIN if size < _LEAST_REACH else size  # nothing nearby: what is further away?
    return size


def some_of(knobs: Mapping[str, Knob], rng: random.Random) -> dict[str, Knob]:
    """Return at most a few dozen knobs, drawn by the weight of their names, in their order.

    P. S. Efraimidis and P. G. Spirakis, Weighted random sampling with a reservoir (2006).
    """
    if len(knobs) <= _AT_ONCE:
        return dict(knobs)
    drawn = sorted(knobs, key=lambda name: rng.random() ** (1 / max(0.05, knobs[name].weight)))[-_AT_ONCE:]
    return {name: knob for name, knob in knobs.items() if name in set(drawn)}


def values_within(search: Search, reach: float, knobs: Mapping[str, Knob]) -> list[tuple[str, Value]]:
    """Return every value of each of `knobs` within `reach` bold steps, of choices all."""
    return [(name, value) for name, knob in knobs.items() for value in _of_knob(search, knob, reach)]


def _of_knob(search: Search, knob: Knob, reach: float) -> list[Value]:
    here = knob.constant.value
    if knob.kind == "choice":
        return [choice for choice in knob.choices if choice != here]
    if here == 0:
        return list(dict.fromkeys(search.steps(knob)))
    place = coordinate(knob, here)
    reach = max(1.0, reach) if knob.kind == "power" else reach  # there is nothing nearer
    steps = [place + sign * share * reach for share in _SHARES for sign in (1, -1)]
    return list(dict.fromkeys(search.fitting(knob, steps)))


def joint_moves(
    surface: Surface, within: Sequence[tuple[str, Value]], rng: random.Random
) -> Iterator[Mapping[str, Value]]:
    """Yield combinations of values, those of the largest worth first: blind draws, and the best of them varied."""
    options: dict[str, list[Value]] = {}
    for name, value in within:
        options.setdefault(name, []).append(value)
    if not options:
        return
    table = _Table(surface, options)
    moves, worth = table.new(table.drawn(np.random.default_rng(rng.getrandbits(64))))
    varied: set[bytes] = set()
    for _ in range(_ROUNDS):
        best = [moves[row] for row in np.argsort(-worth, kind="stable")[:_BEST]]
        fresh = [move for move in best if move.tobytes() not in varied]
        if not fresh:
            break
        varied |= {move.tobytes() for move in fresh}
        further, theirs = table.new(np.concatenate([table.variants(move) for move in fresh]))
        moves, worth = np.concatenate([moves, further]), np.concatenate([worth, theirs])
    for row in np.argsort(-worth, kind="stable"):
        yield {
            name: options[name][place - 1] for name, place in zip(options, moves[row], strict=True) if place
        }


class _Table:
    """Moves as rows: for each knob the place of its new value among its options from 1 on, or 0 if it stays."""

    def __init__(self, surface: Surface, options: Mapping[str, Sequence[Value]]) -> None:
        self.surface = surface
        self.counts = np.array([len(values) for values in options.values()])
        self.knob_of: Ids = np.repeat(np.arange(len(self.counts)), self.counts)
        self.place_of: Ids = np.concatenate([np.arange(1, count + 1) for count in self.counts])
        self.known: set[bytes] = set()
        frame = surface.frame
        self.numbers: list[tuple[int, int, Array]] = []  # a knob's place, its column, and its coordinates
        self.choices: list[tuple[int, int, Ids]] = []
        for place, (name, values) in enumerate(options.items()):
            single, column = frame.points([{}, *({name: value} for value in values)]), frame.columns[name]
            if frame.knobs[name].kind == "choice":
                self.choices.append((place, column, single.picks[:, column]))
            else:
                self.numbers.append((place, column, single.places[:, column]))

    def drawn(self, rng: np.random.Generator) -> Ids:
        """Return each single value, and values of some knobs drawn blindly."""
        singles: Ids = np.zeros((len(self.knob_of), len(self.counts)), dtype=np.int64)
        singles[np.arange(len(singles)), self.knob_of] = self.place_of
        shape = (_DRAWN if len(self.counts) > 1 else 0, len(self.counts))
        ranks = rng.random(shape).argsort(1)
        some = ranks < rng.integers(2, max(3, shape[1] + 1), (shape[0], 1))
        return np.concatenate([singles, np.where(some, rng.integers(1, self.counts + 1, shape), 0)])

    def variants(self, move: Ids) -> Ids:
        """Return `move` with each knob at each other value, with a further knob, and with one fewer."""
        other = np.repeat(move[None, :], len(self.knob_of), axis=0)
        other[np.arange(len(other)), self.knob_of] = self.place_of
        fewer = np.repeat(move[None, :], len(move), axis=0)
        np.fill_diagonal(fewer, 0)
        return np.concatenate([fewer, other])

    def new(self, moves: Ids) -> tuple[Ids, Array]:
        """Return those of `moves` that were not asked for before and change something, and their worth."""
        fresh = []
        for move in moves[moves.any(axis=1)]:
            key = move.tobytes()
            if key not in self.known:
                self.known.add(key)
                fresh.append(move)
        found = np.array(fresh, dtype=np.int64).reshape(len(fresh), len(self.counts))
        here = self.surface.frame.here
        places, picks = np.repeat(here.places, len(fresh), axis=0), np.repeat(here.picks, len(fresh), axis=0)
        for place, column, coordinates in self.numbers:
            places[:, column] = coordinates[found[:, place]]
        for place, column, chosen in self.choices:
            picks[:, column] = chosen[found[:, place]]
        worth = self.surface.worth(Points(places, picks)) if fresh else np.zeros(0)
        return found, worth * _FEWER ** ((found > 0).sum(1) - 1)
