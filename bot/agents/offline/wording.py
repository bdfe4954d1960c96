"""How the offline proposer explains itself: the title, the reason, what it expects and what may go wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.agents.constants import literal_value, same_value
from bot.agents.offline.knobs import Knob
from bot.agents.offline.lessons import Lessons
from bot.rules.proposal import Change, PastExperiment

TITLE_LENGTH = 100

_RISKS = {
    "batch": "The number of steps in the time budget and the memory in use change with it.",
    "architecture": "A larger model makes fewer steps in the time budget and needs more memory.",
    "optimization": "Too large a step makes training unstable; too small a one leaves it unfinished.",
    "schedule": "The best schedule depends on how many steps the time budget allows.",
    "regularization": "In a short run there is little to regularize; it may only slow learning down.",
    "other": "What this constant does is guessed from its name and value.",
}


def words_for(
    changes: Sequence[Change],
    knobs: Mapping[str, Knob],
    parents: Sequence[PastExperiment],
    lessons: Lessons,
    effect: tuple[float, float],
    measured: bool,
) -> tuple[str, str, str, str]:
    """Return hypothesis, reason, expected effect and risk of `changes`.

    `parents` are the near misses that a combination brings back; `effect` is the predicted mean and its
    deviation in score units, which mean something only if something was `measured` before.
    """
    reasons = []
    if parents:
        reasons.append(
            "; ".join(
                f"Experiment {past.number} ({past.hypothesis}) measured: {past.measured}" for past in parents
            )
            + ". Not enough to be sure of it alone."
        )
        reasons.append("The changes touch different constants, so their gains may add up.")
    told = {past.number for past in parents}
    for change in changes:
        reasons += _told(change, lessons, told, bool(parents))
    if len(changes) > 1 and not parents:
        reasons.append("They move together, because no single step from here promises as much.")
    if measured:
        way = "better" if effect[0] <= 0 else "worse"
        expected = f"By the fitted model {way} by {abs(effect[0]):.2g}, with a deviation of {effect[1]:.1g}."
    else:
        expected = "A better score; its size is unknown before anything was measured."
    categories = dict.fromkeys(knobs[change.name].category for change in changes)
    risk = " ".join(_RISKS[category] for category in categories)
    return title_of(changes, parents), " ".join(reasons), expected, risk


def _told(change: Change, lessons: Lessons, told: set[int], combined: bool) -> list[str]:
    found = [
        past
        for tried in lessons.singles.get(change.name, {}).values()
        for past in tried
        if past.number not in told and past.verdict is not None
    ]
    found = sorted(found, key=lambda past: past.number)[-2:]
    if not found:
        return [] if combined else [f"No experiment has turned {change.name} yet, and its kind often pays."]
    said = [
        f"{past.called} went from {readable(past.changes[0].old)}"
        f" to {readable(past.changes[0].new)} ({past.verdict}, {past.measured})"
        for past in found
    ]
    return [f"What is known of {change.name}: {', '.join(said)}.", _step_reason(change, found)]


def _step_reason(change: Change, found: Sequence[PastExperiment]) -> str:
    last = found[-1]
    old, new = literal_value(change.old), literal_value(change.new)
    before, after = literal_value(last.changes[0].old), literal_value(last.changes[0].new)
    numbers = (old, new, before, after)
    if any(isinstance(value, str) or value is None for value in numbers):
        return "This tries another of its choices."
    same_way = (new > old) == (after > before)  # type: ignore[operator]
    if last.landed and same_value(last.changes[0].new, change.old):
        return "This goes on in the direction that won." if same_way else "This looks back between the two."
    better = last.effect is not None and last.effect <= 0
    if same_way and better:
        return "This goes further in the direction that looked better."
    return "This takes a finer step." if same_way else "This tries the other direction."


def title_of(changes: Sequence[Change], parents: Sequence[PastExperiment] = ()) -> str:
    """Return the title of `changes`; `parents` are the near misses that they bring back."""
    title = _move(changes[0])
    others = [f"{change.name} {readable(change.new)}" for change in changes[1:]]
    for fitting in range(len(others), -1, -1):
        left = len(others) - fitting
        named = [*others[:fitting], *([f"{left} more"] if left else [])]
        with_others = title + (f", with {_listed(named)}" if named else "")
        if len(with_others) <= TITLE_LENGTH:
            title = with_others
            break
    if len(parents) == 1:
        note = f" (near miss: experiment {parents[0].number})"
    else:
        note = f" (near misses: experiments {' and '.join(str(past.number) for past in parents)})"
    if parents and len(title + note) <= TITLE_LENGTH:
        title += note
    return title if len(title) <= TITLE_LENGTH else title[: TITLE_LENGTH - 3].rstrip() + "..."


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _move(change: Change) -> str:
    old, new = literal_value(change.old), literal_value(change.new)
    if isinstance(new, bool):
        return f"Turn {change.name} {'on' if new else 'off'}"
    if isinstance(new, str) or isinstance(old, str) or old is None or new is None:
        return f"Set {change.name} to {readable(change.new)} instead of {readable(change.old)}"
    if isinstance(new, int) and new == 2 * old:
        return f"Double {change.name} from {change.old} to {change.new}"
    if isinstance(new, int) and 2 * new == old:
        return f"Halve {change.name} from {change.old} to {change.new}"
    return f"{'Raise' if new > old else 'Lower'} {change.name} from {change.old} to {change.new}"


def readable(text: str) -> str:
    """Return a literal as people say it: strings without their quotes."""
    value = literal_value(text)
    return value if isinstance(value, str) else text
