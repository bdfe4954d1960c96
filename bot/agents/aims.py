"""What a proposal sets out to change: which part, to which value, which way; and when two of these are one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.agents.constants import literal_value
from bot.rules.proposal import Change

Value = float | str

_TOLERANCE = 0.01  # values nearer than this, relative to the larger, are the same

_ALIASES = {
    "learning[ _]rates?": "lr", "weight[ _]decay": "wd", "batch[ _]sizes?": "batch", "batches": "batch",
    "dimensions?": "dim", "attention pattern": "window pattern",
}  # fmt: skip
# Words that say how something changes, or nothing: two titles that differ in these say the same.
_EMPTY = """
    a an the of to by from and or in on at for with as is it its this that be only also then than into all
    set change changing use using make try total current baseline value ratio slightly slight small tiny
    little larger smaller higher lower reduce reducing increase increasing raise decrease halve double new
    add adding steps context
"""
_STOP = frozenset(_EMPTY.split())


@dataclass(frozen=True)
class Aim:
    """One thing to change: the words that name it, the value it gets, and +1 or -1 where a way is told."""

    part: frozenset[str]
    value: Value | None
    way: int = 0


def aims_of_changes(changes: Iterable[Change]) -> tuple[Aim, ...]:
    """Return the aims of changed constants: nothing has to be guessed."""
    return tuple(_aim_of(change) for change in changes)


def same_aims(left: tuple[Aim, ...], right: tuple[Aim, ...]) -> bool:
    """Say whether two proposals set the same parts to the same values, whatever stood there before."""
    if len(left) != len(right) or not left:
        return False
    rest = list(right)
    for aim in left:
        twin = next((other for other in rest if _same(aim, other)), None)
        if twin is None:
            return False
        rest.remove(twin)
    return True


def same_value(left: Value, right: Value) -> bool:
    """Say whether two values are the same within one part in a hundred; words only as they are.

    Between a half and one the distance to one counts as well: 0.99 and 0.999 are worlds apart as decays.
    """
    if isinstance(left, str) or isinstance(right, str):
        return left == right
    scale = max(abs(left), abs(right))
    if 0.5 < left < 1 and 0.5 < right < 1:
        scale = min(scale, 1 - min(left, right))
    return left == right or abs(left - right) <= _TOLERANCE * scale


def words_of(text: str) -> frozenset[str]:
    """Return the words that carry meaning, in one form each: names split up, no numbers."""
    found = re.findall(r"[A-Za-z]+", tidied(text))
    split = (part for word in found for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", word))
    return frozenset(stem(word.lower()) for word in split if word.lower() not in _STOP)


def value_of(literal: str) -> Value:
    """Return what a source literal is worth; what is none stands for itself."""
    worth = literal_value(literal)
    return worth if isinstance(worth, str) else float(worth) if worth is not None else literal.strip()


def _aim_of(change: Change) -> Aim:
    old, new = literal_value(change.old), literal_value(change.new)
    value = value_of(change.new)
    way = 0
    if not isinstance(new, str | None) and not isinstance(old, str | None):
        way = (new > old) - (new < old)
    return Aim(words_of(change.local) | frozenset(re.findall(r"\[\d+\]", change.local)), value, way)


def _same(left: Aim, right: Aim) -> bool:
    if left.value is None or right.value is None:
        return left.value is right.value and left.part == right.part and left.way == right.way
    if not same_value(left.value, right.value):
        return False
    if isinstance(left.value, str):
        return True  # a word such as a pattern's name says by itself what it is
    common = len(left.part & right.part)
    return common == min(len(left.part), len(right.part)) or 2 * common >= len(left.part | right.part)


def tidied(text: str) -> str:
    """Return `text` on one line, with one way of writing for arrows, powers and what has several names."""
    text = re.sub(r"^[A-Z]{3,}: ", "", text.strip())
    for old, new in (("→", " to "), ("->", " to "), ("^", "**"), ("β", "beta"), ("’", "'")):
        text = text.replace(old, new)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    for old, new in _ALIASES.items():
        text = re.sub(rf"(?<![A-Za-z]){old}(?![A-Za-z])", new, text, flags=re.IGNORECASE)
    return " ".join(text.split())


def stem(word: str) -> str:
    """Return an English word without the ending of a plural."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
