"""What a generated mechanism must show before its first call: it parses, answers, repeats itself and lets wins pass.

The rules only; whoever asks the mechanism in its jail is handed in as `Asking`.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bot.rules.bounds import is_seen, shown
from bot.rules.outer.reading import from_json, to_json
from bot.rules.outer.view import NOTE, Draft, Past, Steer, View, check

MOST_BYTES = 64 * 1024
"""Of a mechanism, of a question and of an answer; `evaluator.hosting` has the same bound."""
PREFIXES = 50  # of the history, at most
REFUSED = 0.1  # of what landed, at most
CHECKS = ("parses", "answers", "repeats", "lets pass")
_TAKEN = MOST_BYTES - 4096  # bytes of a view: a proposal goes with it
_FILES, _CONSTANTS = 16 * 1024, 16 * 1024  # bytes of these in a view
_ARGUMENTS = {"steer": 1, "screen": 2}


@dataclass(frozen=True)
class Ask:
    """A question to a mechanism: a function and its arguments, as JSON."""

    function: Literal["steer", "screen"]
    given: list[Any]


class NoAnswer(Exception):
    """A mechanism gave no answer that it may give: `kind` is timeout, ended, raised, too_large, malformed or wrong.

    `answered` is how many questions before it had an answer.
    """

    def __init__(self, kind: str, reason: str, answered: int = 0) -> None:
        self.kind, self.reason, self.answered = kind, reason, answered
        super().__init__(reason)


Asking = Callable[[Sequence[Ask]], Sequence[Any]]
"""Puts all questions to one process, twice if they stand there twice. Raises `NoAnswer` at the first without answer."""


@dataclass(frozen=True)
class Check:
    """One of `CHECKS`, and why it failed; None if it passed."""

    name: str
    why: str | None = None


def checked(source: str, view: View, seed: int, asking: Asking) -> tuple[Check, ...]:
    """Return the checks of a mechanism on the history of `view`, the last of them failed if one is."""
    why = unreadable(source)
    if why is not None:
        return (Check("parses", why),)
    points = prefixes(view)
    pairs = [(seen, ask) for seen, past in points for ask in _questions(seen, past, seed)]
    asked = [ask for _, ask in pairs]
    try:
        answers = asking([*asked, *asked])
    except NoAnswer as none:
        function = asked[none.answered % len(asked)].function
        return (Check("parses"), Check("answers", f"{function}: {none.reason}"))
    try:
        for (seen, ask), answer in zip([*pairs, *pairs], answers, strict=True):
            _ = steer_of(answer, seen) if ask.function == "steer" else reason_of(answer)
    except NoAnswer as wrong:
        return (Check("parses"), Check("answers", wrong.reason))
    first, again = answers[: len(asked)], answers[len(asked) :]
    passed = (Check("parses"), Check("answers"))
    for ask, one, other in zip(asked, first, again, strict=True):
        if one != other:
            why = f"{ask.function}: asked the same twice it says {shown(one)} and {shown(other)}"
            return (*passed, Check("repeats", why))
    refusals = [answer for ask, answer in zip(asked, first, strict=True) if ask.function == "screen"]
    landed = [said for (_, past), said in zip(points, refusals, strict=True) if past.landed]
    refused = [said for said in landed if said is not None]
    if len(refused) > REFUSED * len(landed):
        why = f"screen: it refuses {len(refused)} of {len(landed)} proposals that landed, such as: {shown(refused[0])}"
        return (*passed, Check("repeats"), Check("lets pass", why))
    return tuple(map(Check, CHECKS))


def failure(checks: Sequence[Check]) -> str | None:
    """Return which check failed and why, None if all passed."""
    return next((f"{each.name}: {each.why}" for each in checks if each.why is not None), None)


def unreadable(source: str) -> str | None:
    """Return why a text is no mechanism, None if it is one: it parses, and has the two functions."""
    if len(source.encode(errors="replace")) > MOST_BYTES:
        return f"it has more than {MOST_BYTES} bytes"
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        place = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        return f"it is no Python{place}: {str(getattr(error, 'msg', error))[:200]}"
    functions = {each.name: each.args for each in tree.body if isinstance(each, ast.FunctionDef)}
    for name, count in _ARGUMENTS.items():
        takes = functions.get(name)
        if takes is None:
            return f"it has no function {name} at its top"
        most, least = len(takes.posonlyargs) + len(takes.args), len(takes.defaults)
        if takes.kwonlyargs or not most - least <= count <= most:
            return f"{name} takes {'view' if count == 1 else 'view and draft'}, and nothing else"
    return None


def prefixes(view: View) -> list[tuple[View, Past]]:
    """Return views from before earlier experiments, each with that experiment, oldest first: the newest that landed,
    up to half of `PREFIXES`, and others spread evenly over the history. An empty one gives a view all the same."""
    ended = view.ended()
    landed = [past for past in ended if past.landed][-PREFIXES // 2 :]
    others = [past for past in ended if past not in landed]
    room = PREFIXES - len(landed)
    step = max(1.0, len(others) / room)
    spread = [others[int(place * step)] for place in range(min(room, len(others)))]
    chosen = sorted([*landed, *spread], key=lambda past: past.number) or [_FIRST]
    return [
        (replace(view.before(each.number), number=each.number, since=each.number), each) for each in chosen
    ]


_FIRST = Past(1, (), "other", "discarded")


def _questions(view: View, past: Past, seed: int) -> tuple[Ask, Ask]:
    draft = Draft(past.moves, past.category, past.proposer, past.title, past.edits)
    return steering(view, seed), screening(view, draft, seed)


def steering(view: View, seed: int) -> Ask:
    """Return the question what steers the next experiment."""
    return Ask("steer", [given(view, seed)])


def screening(view: View, draft: Draft, seed: int) -> Ask:
    """Return the question whether a proposal is sent back."""
    return Ask("screen", [given(view, seed), to_json(draft)])


def given(view: View, seed: int) -> dict[str, Any]:
    """Return a view as a generated mechanism gets it, within its bound: the smallest files, constants, and the newest
    of the experiments, as far as they fit."""
    files: dict[str, str] = {}
    for path, text in sorted(view.files.items(), key=lambda item: len(item[1])):
        if _size(files) + _size({path: text}) <= _FILES:
            files[path] = text
    told = to_json(replace(view, past=(), constants=(), files=files)) | {"seed": seed}
    told["constants"] = _fitting(view.constants, _CONSTANTS)
    newest = sorted(view.past, key=lambda each: each.number, reverse=True)
    return told | {"past": _fitting(newest, _TAKEN - _size(told))[::-1]}


def _fitting(items: Iterable[Any], room: int) -> list[dict[str, Any]]:
    """Return the first of the items, as JSON, that take no more than `room` bytes."""
    kept: list[dict[str, Any]] = []
    for record in map(to_json, items):
        room -= _size(record) + 2
        if room < 0:
            break
        kept.append(record)
    return kept


def _size(value: Any) -> int:
    return len(json.dumps(value))


def steer_of(answer: object, view: View) -> Steer:
    """Return the steer that a mechanism answered. Raises `NoAnswer` of kind wrong, which names the field."""
    try:
        return check(from_json(Steer, answer), view)
    except ValueError as error:
        raise NoAnswer("wrong", f"steer: {error}") from None


def reason_of(answer: object) -> str | None:
    """Return why a mechanism sends a proposal back, None if it takes it. Raises `NoAnswer` of kind wrong."""
    if answer is None:
        return None
    if not isinstance(answer, str) or not answer.strip() or len(answer) > NOTE or not is_seen(answer):
        said = f"screen is {shown(answer)}: null, or a reason of at most {NOTE} characters, is expected"
        raise NoAnswer("wrong", said)
    return answer
