"""An experiment explained to a reader: what changes in the model, why it may work, what it might break.

Written by code, from the proposal and the figures. Plain text, and not escaped yet: most of it is an agent's.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from bot.base.text import one_line
from bot.rules.bounds import measurable
from bot.rules.experiment import Experiment
from bot.tell.numbers import count, percent

_CONSTANTS = 6
_NOTHING = ("", "low", "none", "no", "nothing", "-", "n/a", "minimal")
_ABOUT = {
    "batch": "how much data each step sees",
    "architecture": "the model itself: its size or its parts",
    "optimization": "how the weights are moved by each step",
    "schedule": "how the training changes as time goes on",
    "regularization": "what keeps the model from fitting too closely",
    "revert": "taking back what was merged before",
}
_BREAKS = {
    "batch": "The number of steps in the time budget changes with it, and so do all schedules that count steps.",
    "architecture": "Memory and steps per second change with it: what wins in this budget may not at a longer one.",
    "optimization": "Too large a step makes a longer or larger training unstable.",
    "schedule": "The best schedule depends on the length of the training.",
    "regularization": "A longer training may need more of what this takes away, or less of what it adds.",
    "revert": "What was merged after it was measured together with it.",
}
_GROWS = 0.05  # share of memory that is worth a word
_LARGE = 4.0  # factor of a constant that is worth a word


@dataclass(frozen=True)
class Explanation:
    """Three short paragraphs, and what a reviewer should ask."""

    changed: str
    why: str
    risk: str
    questions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Numbers:
    """What was measured: `margin` is the half width of the `effect`, memory in MiB before and after."""

    effect: float | None = None
    margin: float | None = None
    runs: int = 0
    memory_before: float | None = None
    memory_after: float | None = None


def explain(experiment: Experiment, numbers: Numbers) -> Explanation:
    """Return the explanation of an experiment, as far as it has come."""
    proposal, candidate = experiment.proposal, experiment.candidate
    if proposal is None:
        return Explanation("Nothing is proposed yet.", "", "")
    category = one_line(proposal.category, 40).lower()
    added, removed = (candidate.added, candidate.removed) if candidate else (0, 0)
    moves = list(map(_move, proposal.changes[:_CONSTANTS]))
    if len(proposal.changes) > _CONSTANTS:
        moves.append(f"and {count(len(proposal.changes) - _CONSTANTS, 'more constant')}")
    changed = _changed(experiment, moves, category, added, removed)
    why = proposal.reason.strip() or "No reason was given."
    risks = [proposal.risk.strip() if proposal.risk.strip().lower() not in _NOTHING else ""]
    if not risks[0]:
        risks = [_BREAKS.get(category, "Nothing was named. What else uses what changes here?")]
    risks += _measured(numbers, proposal.changes)
    return Explanation(
        changed,
        why,
        " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in risks),
        tuple(_questions(experiment, numbers, category, added, removed)),
    )


def _changed(experiment: Experiment, moves: Sequence[str], category: str, added: int, removed: int) -> str:
    proposal = experiment.proposal
    assert proposal is not None
    where = one_line(", ".join(proposal.paths[:3]), 240) or "the code"
    where += " and more" if len(proposal.paths) > 3 else ""
    size = f"{count(added, 'line')} added and {removed:,} removed in {where}"
    said = []
    if experiment.reverts is not None:
        said.append(f"Takes experiment {experiment.reverts} out again.")
    if moves:
        said.append(f"{'; '.join(moves)}.")
    if proposal.edit or not moves:
        said.append(f"What the title says, by {size}.")
    about = _ABOUT.get(category)
    return " ".join([*said, f"This is about {about}."] if about else said)


def _move(change: Mapping[str, str]) -> str:
    old, new = one_line(change.get("old", ""), 60), one_line(change.get("new", ""), 60)
    said = f"{one_line(change.get('name', ''), 60)} goes from {old} to {new}"
    factor = _factor(change)
    if factor is None:
        return said
    if factor in (2.0, 0.5):
        return f"{said} ({'twice' if factor == 2 else 'half'} as much)"
    if 0.5 < factor < 2:
        return f"{said} ({percent(abs(factor - 1))} {'more' if factor > 1 else 'less'})"
    return f"{said} (times {factor:.2g})"


def _factor(change: Mapping[str, str]) -> float | None:
    """Return by which factor a number changes, None if it is none or passes through zero."""
    old, new = _number(change.get("old", "")), _number(change.get("new", ""))
    if not old or not new or old * new < 0 or not isfinite(new / old):
        return None
    return new / old


def _number(literal: str) -> float | None:
    try:
        value = ast.literal_eval(literal)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    return float(value) if measurable(value) else None


def _measured(numbers: Numbers, changes: Sequence[Mapping[str, str]]) -> list[str]:
    """Return what the figures warn of."""
    said = []
    before, after = numbers.memory_before, numbers.memory_after
    if before and after and abs(after / before - 1) >= _GROWS:
        way = "rises" if after > before else "falls"
        said.append(f"Peak memory {way} from {before:,.0f} to {after:,.0f} MiB.")
    for change in changes:
        factor = _factor(change)
        if factor is not None and not 1 / _LARGE < factor < _LARGE:
            said.append(
                f"{one_line(change.get('name', ''), 60)} is {factor:.2g} times what it was: a large step."
            )
    return said


def _questions(
    experiment: Experiment, numbers: Numbers, category: str, added: int, removed: int
) -> list[str]:
    asked = {
        "batch": "Is the learning rate still right for this batch if you train longer?",
        "architecture": "Does it still pay at the size and the length that you care for?",
        "optimization": "Is it stable in a training ten times as long?",
        "schedule": "Would the schedule be the same share of a longer training?",
        "regularization": "Would it still pay once the training is long enough to overfit?",
        "revert": "Does anything that was merged since rest on what is taken out?",
    }
    found = [asked.get(category, "Do you see why it works, or only that it scored better?")]
    if numbers.effect is not None and numbers.margin and abs(numbers.effect) < 2 * numbers.margin:
        found.append(
            f"The effect is less than twice its margin, on {count(numbers.runs, 'run')}: would you bet on it?"
        )
    if added - removed >= 10:
        found.append(f"Is it worth {added - removed} more lines to look after?")
    if experiment.proposal is not None and len(experiment.proposal.changes) > 1:
        found.append("Several things change at once: does each of them matter?")
    return found
