"""The offline proposer: a search over the constants of the editable files that learns from the ledger.

It needs no model and no network. It drives the demo, takes over when no model answers, and is the
yardstick that a model has to beat. The same files, history, seed and number give the same proposal.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from bot.agents.constants import Constant, Value, rewritten
from bot.agents.gate import Gate, draft_of
from bot.agents.offline.belief import Belief, believe, expected_gain
from bot.agents.offline.follow import follow
from bot.agents.offline.joint import joint_moves, reach_of, some_of, values_within
from bot.agents.offline.knobs import Knob
from bot.agents.offline.lessons import Lessons, lessons_of
from bot.agents.offline.moves import Candidate, Search
from bot.agents.offline.space import Rules, space_of
from bot.agents.offline.steps import divisions, literal
from bot.agents.offline.surface import surface_of
from bot.agents.offline.wording import words_for
from bot.rules.outer.steering import shown
from bot.rules.outer.view import SEND_BACKS, Draft, move
from bot.rules.proposal import Change, Idea, PastExperiment, Proposal

_EXPLORE = 0.1  # chance of looking at a constant that nobody has turned yet
_JOINT_KNOBS = 5  # from which several are turned at once; fewer are understood one by one
_JOINT_FROM = 3  # experiments, each a first look at one knob
_LOOKED_AT = 400  # of the best joint moves: most that are no news are among the very best
_JITTER = 0.1  # so that two loops with different seeds do not walk in step

_Found = tuple[Candidate, Callable[[Mapping[str, Value]], tuple[float, float]]]


def propose(
    files: Mapping[str, str],
    history: Sequence[PastExperiment],
    *,
    seed: int,
    number: int,
    ideas: Sequence[Idea] = (),
    rules: Rules | None = None,
    gate: Gate | None = None,
) -> Proposal | None:
    """Return the next change to try on the incumbent's `files`, None if the space is empty or exhausted.

    An idea of a human that can be followed comes before the search. With a `gate` it obeys the steer, as far as it
    leaves anything to try, and notes what it would have proposed without.
    """
    followed = follow(files, ideas)
    if followed is not None:
        return followed
    plain = _searched(files, history, seed, number, rules)
    if plain is None:
        return None
    plain = replace(plain, files=rewritten(files, plain.changes))
    if gate is None:
        return plain
    for _ in range(SEND_BACKS + 1):
        steered = _searched(files, history, seed, number, rules, gate)
        if steered is None or gate.objection(draft_of(steered, files)) is None:
            break
    if steered is None:
        gate.sent_back.clear()  # nothing is left under the steer: it goes on without
        return plain
    if steered.changes != plain.changes:
        wanted = draft_of(plain, files)
        if not any(each.draft.moves == wanted.moves for each in gate.sent_back):
            gate.note(
                wanted, gate.why_not(wanted) or "With another part of the history the search chose otherwise."
            )
    return replace(steered, files=rewritten(files, steered.changes))


def _searched(
    files: Mapping[str, str],
    history: Sequence[PastExperiment],
    seed: int,
    number: int,
    rules: Rules | None,
    gate: Gate | None = None,
) -> Proposal | None:
    """Return what the search proposes, without the files; under a `gate` only what that permits, None if nothing is
    left."""
    space = space_of(files, rules)
    constants = space.constants
    knobs = {knob.name: knob for knob in space.knobs}
    if not knobs:
        return None
    history = _in_present_names(history, constants)
    rng = random.Random(f"{seed}/{number}")
    turned = tuple(knobs.values())
    lessons = lessons_of(constants, turned, history)
    if gate is not None:
        # What was tried stays known, whatever part of the history the rest is learned from.
        everything, history = lessons, shown(history, gate.steer)
        lessons = lessons_of(constants, turned, history)
        lessons = replace(lessons, tried=everything.tried, sets=everything.sets, crashed=everything.crashed)
    values = {constant.name: constant.value for constant in constants}
    permits = None if gate is None else _permission(gate, knobs)
    search = Search(knobs, lessons, values, divisions(turned, files), permits)
    found = _jointly(search, history, rng) or _stepwise(search, history, rng)
    if found is None:
        return None
    chosen, effect_of = found
    changes = tuple(
        Change(knobs[name].constant.file, name, knobs[name].constant.literal, literal(knobs[name], value))
        for name, value in chosen.values.items()
    )
    hypothesis, reason, effect, risk = words_for(
        changes, knobs, chosen.parents, lessons, effect_of(chosen.values), bool(history)
    )
    return Proposal(
        hypothesis=hypothesis,
        category=_category(knobs, chosen.values),
        reason=reason,
        expected_effect=effect,
        risk=risk,
        files={},
        changes=changes,
    )


def _category(knobs: Mapping[str, Knob], values: Mapping[str, Value]) -> str:
    return max((knobs[name] for name in values), key=lambda knob: knob.weight).category


def _permission(gate: Gate, knobs: Mapping[str, Knob]) -> Callable[[Mapping[str, Value]], bool]:
    """Return whether the gate permits a candidate."""

    def permits(values: Mapping[str, Value]) -> bool:
        moves = tuple(move(name, knobs[name].constant.value, value) for name, value in values.items())
        back = any(each.draft.moves == moves for each in gate.sent_back)
        return not back and gate.why_not(Draft(moves, _category(knobs, values))) is None

    return permits


def _in_present_names(
    history: Sequence[PastExperiment], constants: Sequence[Constant]
) -> Sequence[PastExperiment]:
    """Return the past with the names that constants have now: one that gets a namesake in another file gets its
    file's name before its own."""
    names = {(constant.file, constant.local): constant.name for constant in constants}
    if all(local == name for (_, local), name in names.items()) and not any(
        change.name != change.local for past in history for change in past.changes
    ):
        return history
    return [
        replace(
            past,
            changes=tuple(
                replace(change, name=names.get((change.file, change.local), change.name))
                for change in past.changes
            ),
        )
        for past in history
    ]


def _jointly(search: Search, history: Sequence[PastExperiment], rng: random.Random) -> _Found | None:
    """Return the best move of any number of knobs, None if it is too early for that, or nothing of it is new."""
    lessons = search.lessons
    decided = sum(past.verdict is not None for past in history)
    if len(search.knobs) < _JOINT_KNOBS or decided < _JOINT_FROM:
        return None
    surface = surface_of(tuple(search.knobs.values()), history, rng)
    free = {name: knob for name, knob in search.knobs.items() if name not in lessons.pending}
    free = {name: knob for name, knob in free.items() if knob.category not in lessons.rested} or free
    within = [
        (name, value)
        for name, value in values_within(search, reach_of(history), some_of(free, rng))
        if not search.crashes({name: value})
    ]
    for values in islice(joint_moves(surface, within, rng), _LOOKED_AT):
        allowed = search.allowed([Candidate(values)])
        if allowed:
            return allowed[0], surface.effect
    return None


def _stepwise(search: Search, history: Sequence[PastExperiment], rng: random.Random) -> _Found | None:
    """Return the best of the next steps of single knobs and of near misses together, None if all were tried."""
    singles = search.allowed(list(search.singles()))
    candidates = singles + search.allowed(search.combinations(singles))
    candidates = candidates or search.allowed(search.any_pairs())
    if not candidates:
        return None
    belief = believe(tuple(search.knobs.values()), search.lessons, history)
    return _choose(candidates, search.knobs, search.lessons, belief, history, rng), belief.effect


def _choose(
    candidates: Sequence[Candidate],
    knobs: Mapping[str, Knob],
    lessons: Lessons,
    belief: Belief,
    history: Sequence[PastExperiment],
    rng: random.Random,
) -> Candidate:
    """Return the candidate with the largest expected gain, with a little chance and some fairness."""
    pool = list(candidates)
    pool = [c for c in pool if not set(c.values) & lessons.pending] or pool
    rested = {name for name, knob in knobs.items() if knob.category in lessons.rested}
    pool = [c for c in pool if not set(c.values) & rested] or pool
    explore = rng.random() < _EXPLORE and len(history) >= 4
    fresh = [c for c in pool if len(c.values) == 1 and not set(c.values) & set(lessons.singles)]
    if explore and fresh:
        pool = fresh
    recent = sorted(history, key=lambda past: past.number)[-5:]
    latest = [past.category for past in recent[-3:]]
    stuck = [change.name for past in recent if not past.landed for change in past.changes]
    margin = belief.noise if history else 0.0

    def worth(candidate: Candidate) -> tuple[float, float]:
        mean, spread = belief.effect(candidate.values)
        gain = expected_gain(mean, spread, margin)
        if len(candidate.values) == 1:
            (name,) = candidate.values
            if name not in lessons.singles:
                # The first look goes round the categories before it goes deep into one.
                gain *= 0.8 ** latest.count(knobs[name].category)
            gain *= 0.75 ** stuck.count(name)  # no digging where the last attempts found nothing
        else:
            gain *= 0.9  # two changes at once teach less about either
        gain *= math.exp(_JITTER * rng.gauss(0, 1))
        return gain, -mean / spread

    return max(pool, key=worth)
