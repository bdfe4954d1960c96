"""Holds the proposals of one experiment to its steer, by code, and notes what was not made for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.agents.constants import literal_value
from bot.agents.novelty import edit_beside
from bot.base.text import one_line
from bot.rules.outer.record import SentBack
from bot.rules.outer.steering import in_force, objection
from bot.rules.outer.view import SEND_BACKS, Draft, Move, Steer, Value, move
from bot.rules.proposal import Change, Proposal

_NAME, _TITLE, _WHY, _SAID = 200, 200, 300, 600  # characters
_MOST = 10  # proposals that are noted
_WHOLE = 2**53

Screen = Callable[[Draft], str | None]


@dataclass
class Gate:
    """The steer of experiment `number`, what `screen` says of a proposal, and the `categories` of constants by name.

    `sent_back` is what code has refused for this experiment so far.
    """

    steer: Steer
    number: int
    screen: Screen
    categories: Mapping[str, str]
    sent_back: list[SentBack] = field(default_factory=list)
    screened: int = 0

    def why_not(self, draft: Draft) -> str | None:
        """Return what the focus and the avoidances have against a draft, None if nothing; nothing is noted."""
        return objection(self.steer, draft, self.number, self.categories)

    def objection(self, draft: Draft) -> str | None:
        """Return why a proposal comes back, None if it is taken; what comes back is noted.

        At most `SEND_BACKS` come back by `screen`.
        """
        why = self.why_not(draft)
        if why is None and self.screened < SEND_BACKS:
            why = self.screen(draft)
            self.screened += why is not None
        if why is not None:
            self.note(draft, why)
        return why

    def note(self, draft: Draft, why: str) -> None:
        """Note a proposal that was not made for the steer."""
        if len(self.sent_back) < _MOST:
            self.sent_back.append(SentBack(draft, one_line(why, _WHY)))

    def told(self) -> str:
        """Return what a model should know of the steer, in a few lines; empty if that is nothing."""
        lines = [f"{name}: {said}" for name, said in self._aims() if said]
        return "\n".join([*lines, *([one_line(self.steer.note, _SAID)] if self.steer.note else [])])

    def _aims(self) -> Sequence[tuple[str, str]]:
        return [
            (name, ", ".join(str(aim) for aim in in_force(aims, self.number)))
            for name, aims in (("propose only on", self.steer.focus), ("leave alone", self.steer.avoid))
        ]


def draft_of(proposal: Proposal, files: Mapping[str, str]) -> Draft:
    """Return a proposal as mechanisms see it; `files` are the incumbent's."""
    edit = edit_beside(files, proposal.files, proposal.changes)
    return Draft(
        moves_of(proposal.changes), one_line(proposal.category, _NAME), one_line(proposal.proposer, _NAME),
        one_line(proposal.hypothesis, _TITLE), bool(edit),
    )  # fmt: skip


def moves_of(changes: Sequence[Change]) -> tuple[Move, ...]:
    """Return changes as mechanisms see them."""
    return tuple(move(one_line(c.name, _NAME), value_of(c.old), value_of(c.new)) for c in changes)


def value_of(literal: str) -> Value:
    """Return what a literal is worth; what is none, or is no number that fits JSON, is a text."""
    worth = literal_value(literal)
    if worth is None or isinstance(worth, str) or abs(worth) > _WHOLE:
        return one_line(literal if worth is None else str(worth), _NAME)
    return worth
