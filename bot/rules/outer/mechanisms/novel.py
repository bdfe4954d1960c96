"""Sends back a proposal that sets the same constants to the same values as an earlier experiment.

Rejection before evaluation, as ShinkaEvolve does (arXiv 2509.19349): in 22 recorded campaigns 18 % of the moves set a
constant to a value that was tried. The novelty gate of proposals compares values by the same rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.rules.outer.view import Draft, Move, Value, View

_TOLERANCE = 0.01  # values nearer than this, relative to the larger, are the same


def screen(view: View, draft: Draft, seed: int) -> str | None:
    if draft.edits or not draft.moves:
        return None
    mine = _values(draft.moves)
    for past in reversed(view.ended()):
        theirs = _values(past.moves)
        if past.edits or mine.keys() != theirs.keys():
            continue
        if all(same_value(mine[name], theirs[name]) for name in mine):
            return f"It sets the same values as experiment {past.number}, which ended {past.verdict}."
    return None


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


def _values(moves: Sequence[Move]) -> dict[str, Value]:
    return {each.constant: each.new for each in moves}
