"""What the ledger says of the outer loop: blocks, who is out and why, and what each steered proposal changed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.rules.outer.reading import limited
from bot.rules.outer.view import Draft, Steer

if TYPE_CHECKING:
    from bot.rules.events import Diagnosed, MechanismWritten, NothingWritten, OuterBlockBegun
    from bot.rules.experiment import Experiment


@dataclass(frozen=True)
class SentBack:
    """A proposal that was not made for the steer: as it would have been, and why not."""

    draft: Draft
    why: str = limited(600)


@dataclass(frozen=True)
class Steered:
    """What a proposal was made under. `not_asked` is the proposer that would have been asked."""

    block: int
    mechanism: str
    steer: Steer = field(default_factory=Steer)
    sent_back: tuple[SentBack, ...] = limited(20, default=())
    not_asked: str = ""

    @property
    def changed(self) -> bool:
        """Whether code can show that the proposal would have been another."""
        return bool(self.sent_back or self.not_asked)


@dataclass
class Record:
    """The outer loop's part of a campaign; only its events change it."""

    blocks: list[OuterBlockBegun] = field(default_factory=list)
    gone: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Mechanisms that are dead or retired for good: which of these, and why."""
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Mechanisms that failed: until when they are off (ISO 8601), and why."""
    switched_off: set[str] = field(default_factory=set)
    """Mechanisms that a human took out."""
    diagnoses: list[Diagnosed] = field(default_factory=list)
    written: dict[str, MechanismWritten] = field(default_factory=dict)
    """Mechanisms that the researcher wrote."""
    unwritten: list[NothingWritten] = field(default_factory=list)
    researched: int = 0
    """The experiment before which the researcher was asked last."""

    def out(self, now: str) -> set[str]:
        """Return the mechanisms that take no block at the time `now`."""
        failing = {name for name, (until, _) in self.failed.items() if now < until}
        return {*self.gone, *failing, *self.switched_off}


def steered_of(experiment: Experiment) -> Steered | None:
    """Return what the experiment's proposal was made under; None if that was no outer loop."""
    return experiment.proposal.steered if experiment.proposal is not None else None
