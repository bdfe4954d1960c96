"""Moves of several knobs at once: the values within reach, and a search among their combinations."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bot.agents.constants import Value
from bot.agents.offline.knobs import Knob
from bot.agents.offline.model import Points
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

_Move = tuple[int, ...]


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
) -> list[tuple[float, Mapping[str, Value]]]:
    """Return combinations of values with their worth, the best first: blind draws, and the best of them varied."""
    by_name: dict[str, list[int]] = {}
    for place, (name, _) in enumerate(within):
        by_name.setdefault(name, []).append(place)
    names = list(by_name)
    known: dict[_Move, float] = {}
    evaluate = _evaluator(surface, within, known)
    drawn: list[_Move] = [(place,) for place in range(len(within))]
    for _ in range(_DRAWN if len(names) > 1 else 0):
        some = rng.sample(names, rng.randint(2, len(names)))
        drawn.append(tuple(sorted(rng.choice(by_name[name]) for name in some)))
    evaluate(drawn)
    varied: set[_Move] = set()
    for _ in range(_ROUNDS):
        best = sorted(known, key=lambda move: -known[move])[:_BEST]
        fresh = [move for move in best if move not in varied]
        if not fresh:
            break
        varied |= set(fresh)
        evaluate([new for move in fresh for new in _variants(move, within)])
    ranked = sorted(known.items(), key=lambda each: -each[1])
    return [(worth, {within[each][0]: within[each][1] for each in move}) for move, worth in ranked]


def _variants(move: _Move, within: Sequence[tuple[str, Value]]) -> list[_Move]:
    """Return `move` with each knob at each other value, with a further knob, and with one fewer."""
    found = [tuple(place for place in move if place != each) for each in move]
    for new, (name, _) in enumerate(within):
        found.append(tuple(sorted([*(place for place in move if within[place][0] != name), new])))
    return found


def _evaluator(
    surface: Surface, within: Sequence[tuple[str, Value]], known: dict[_Move, float]
) -> Callable[[Sequence[_Move]], None]:
    """Return what adds the worth of moves to `known`, all in one step."""
    frame = surface.frame
    single = frame.points([{name: value} for name, value in within])
    columns = [frame.columns[name] for name, _ in within]
    is_choice = [frame.knobs[name].kind == "choice" for name, _ in within]

    def evaluate(moves: Sequence[_Move]) -> None:
        new = [move for move in dict.fromkeys(moves) if move and move not in known]
        if not new:
            return
        places = np.repeat(frame.here.places, len(new), axis=0)
        picks = np.repeat(frame.here.picks, len(new), axis=0)
        for row, move in enumerate(new):
            for each in move:
                if is_choice[each]:
                    picks[row, columns[each]] = single.picks[each, columns[each]]
                else:
                    places[row, columns[each]] = single.places[each, columns[each]]
        worth = surface.worth(Points(places, picks))
        known.update(
            {move: float(gain) * _FEWER ** (len(move) - 1) for move, gain in zip(new, worth, strict=True)}
        )

    return evaluate
