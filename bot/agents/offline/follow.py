"""Reads a human's idea as far as it names constants and their new values, and passes over everything else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.agents.constants import Constant, Value, constants_of, literal_value, rewritten, same_value
from bot.agents.offline.knobs import knobs_of
from bot.agents.offline.wording import title_of
from bot.rules.proposal import Change, Idea, Proposal

_LONGEST = 100  # characters of a literal
_NUMBER = r"[-+]?(?:\d[\d_]*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
# What follows must not turn the number into something else: `6 * x`, `6k`, `6.5.1`, `6 %`.
LITERAL = (
    rf"(?:{_NUMBER}(?:\s*(?:\*\*|\*|//|/|<<)\s*{_NUMBER})*(?![\w%]|\.\d|\s*(?:[*/+%]|<<|-\s*\d))"
    r"|(?:True|False)(?!\w)|\"[^\"\\\n]{0,80}\"|'[^'\\\n]{0,80}')"
)
# `NAME = 6`, `NAME: 6`, `NAME to 6`, `NAME from 4 to 6`, each part in backticks or not.
_SET = rf"`?(?:\s+from\s+`?{LITERAL}`?)?\s*(?::=|=(?!=)|:|->|→|\bto\b)\s*`?(?P<value>{LITERAL})"


def follow(files: Mapping[str, str], ideas: Sequence[Idea]) -> Proposal | None:
    """Return the proposal of the oldest idea that sets constants of `files` to new values, None if none does.

    A value counts if it is a literal of the type that the constant has. Of several values for one
    constant the last one counts, as in "LEARNING_RATE = 0.001 now, LEARNING_RATE = 0.004 is better".
    """
    constants = constants_of(files)
    for idea in ideas:
        changes = changes_named(idea.text, constants)
        if changes:
            return _proposal(files, idea, changes)
    return None


def changes_named(text: str, constants: Sequence[Constant]) -> tuple[Change, ...]:
    """Return the constants that `text` sets to new values by name, as in `NAME = 6` or `NAME from 4 to 6`."""
    found = []
    for constant in constants:
        wanted = None
        for name in _names(constant, constants):
            # A longer name that ends or begins like this one is another.
            pattern = rf"(?<![\w.]){re.escape(name)}(?![\w\[])(?!\.\w){_SET}"
            values = [each["value"] for each in re.finditer(pattern, text)]
            fitting = [value for raw in values if (value := _fitted(raw, constant.value)) is not None]
            wanted = fitting[-1] if fitting else wanted
        if wanted is not None and not same_value(wanted, constant.literal):
            found.append(Change(constant.file, constant.name, constant.literal, wanted))
    return tuple(found)


def _names(constant: Constant, constants: Sequence[Constant]) -> tuple[str, ...]:
    """Return what a constant may be called: a field also by its own name, if no other has it."""
    short = _short(constant)
    others = (other for other in constants if other is not constant)
    if short == constant.name or any(_short(other) == short for other in others):
        return (constant.name,)
    return (short, constant.name)


def _short(constant: Constant) -> str:
    """Return what a constant is called beside others: `n_layer` of `GPTConfig.n_layer`, `lr` of `--lr`."""
    return constant.local.rpartition(".")[2].lstrip("-")


def _fitted(literal: str, like: Value) -> str | None:
    """Return a literal of the type of `like`; a whole number may stand for a float, nothing else for another."""
    value = literal_value(literal) if len(literal) <= _LONGEST else None
    if value is None:
        return None
    if type(value) is type(like):
        return literal
    return repr(float(value)) if type(value) is int and isinstance(like, float) else None


def _proposal(files: Mapping[str, str], idea: Idea, changes: tuple[Change, ...]) -> Proposal:
    categories = {knob.name: knob.category for knob in knobs_of(files)}
    found = [categories[change.name] for change in changes if change.name in categories]
    where = f"issue {idea.issue}" if idea.issue is not None else "the command line"
    return Proposal(
        hypothesis=title_of(changes),
        category=found[0] if found else "other",
        reason=f"Idea {idea.number} of a human, from {where}, names these values.",
        expected_effect="What the idea hopes for: a better score. Nothing else predicts its size.",
        risk="The values were taken as they are named; nobody has looked whether they go together.",
        files=rewritten(files, changes),
        changes=changes,
        idea=idea.number,
    )
