"""What it means to obey a steer: which proposals it refuses, and what of the history it shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from bot.rules.outer.view import Aim, Draft, Move, Steer
from bot.rules.proposal import PastExperiment

AnyPast = TypeVar("AnyPast", bound=PastExperiment)


def in_force(aims: Iterable[Aim], number: int) -> list[Aim]:
    """Return the aims that have not ended at experiment `number`."""
    return [aim for aim in aims if number < aim.until]


def objection(
    steer: Steer, draft: Draft, number: int, categories: Mapping[str, str] | None = None
) -> str | None:
    """Return why a proposal does not obey the steer of experiment `number`, in one sentence; None if it does.

    `categories` are those of the constants by name, if a move's category is not the proposal's.
    """
    known = categories or {}
    hit = next((aim for aim in in_force(steer.avoid, number) if _meets(aim, draft, known)), None)
    if hit is not None:
        return f"The search leaves {hit} alone until experiment {hit.until}."
    focus = in_force(steer.focus, number)
    if focus and not _within(focus, draft, known):
        named = ", ".join(str(aim) for aim in focus)
        return f"The search looks at {named} only, until experiment {max(aim.until for aim in focus)}."
    return None


def shown(history: Sequence[AnyPast], steer: Steer) -> list[AnyPast]:
    """Return the part of the history that a proposer is shown: what is still open always, claims as all before."""
    return [p for p in history if steer.fresh is None or p.number >= steer.fresh or p.verdict is None]


def _meets(aim: Aim, draft: Draft, categories: Mapping[str, str]) -> bool:
    """Whether any part of the proposal is what the aim names."""
    if aim.category:
        named = {draft.category} | {categories.get(each.constant, "") for each in draft.moves}
        return aim.category in named
    return any(_is(aim, each) for each in draft.moves)


def _within(focus: Sequence[Aim], draft: Draft, categories: Mapping[str, str]) -> bool:
    """Whether all of the proposal is something that one of the aims names."""
    named = {aim.category for aim in focus if aim.category}
    if draft.category in named:
        return True
    if not draft.moves or draft.edits:
        return False
    return all(
        categories.get(each.constant, "") in named or any(_is(aim, each) for aim in focus)
        for each in draft.moves
    )


def _is(aim: Aim, each: Move) -> bool:
    return aim.constant == each.constant and aim.direction in ("", each.direction)
