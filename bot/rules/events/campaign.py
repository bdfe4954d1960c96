"""Events of the campaign as a whole: its beginning, its branch, who works on what, its ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from bot.rules.events.registry import Direction, Event, event
from bot.rules.experiment import Lease
from bot.rules.rule_changes import RuleChange, changed

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign


@event("campaign_started", "campaign_started")
@dataclass(frozen=True)
class CampaignStarted(Event):
    """The campaign's first event: where it starts and what it measures."""

    sparse: ClassVar = ("rule",)
    campaign: str
    base_branch: str
    base_commit: str
    metric: str
    direction: Direction
    seed: int
    min_effect: float = 0.0
    """Smallest gain that counts if the configuration says nothing; earlier campaigns began without one."""
    rungs: bool = False
    """Whether candidates may run with a share of the budget first if the configuration says nothing."""
    rule: dict[str, str] | None = None
    """What verdicts are reached by, as `RuleSet` has it."""

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.started, campaign.started_at = self, at
        campaign.rule = dict(self.rule or {})
        campaign.incumbents = [self.base_commit]
        campaign.reference = self.base_commit


@event("rule_set", "rule:{turn}")
@dataclass(frozen=True)
class RuleSet(Event):
    """What verdicts are reached by from now on: the values of the configuration's keys that decide, by their names.

    It touches no verdict that was given. `turn` counts from 1. A campaign that began without a record of its rule has
    one from its first on: that changed nothing.
    """

    turn: int
    rule: dict[str, str]

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        if campaign.rule:
            keys = changed(campaign.rule, self.rule)
            campaign.rule_changes += [RuleChange(len(campaign.order), keys)] if keys else []
        campaign.rule, campaign.rule_turns = dict(self.rule), self.turn


@event("lease_taken", "lease:{subject}:{turn}")
@dataclass(frozen=True)
class LeaseTaken(Event):
    """`holder` works on `subject` (`experiment:7` or `run:<run id>`) until the time `until`.

    `turn` counts the leases of one subject: of two who reach for the same turn only one gets it.
    """

    subject: str
    turn: int
    holder: str
    until: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.leases[self.subject] = Lease(self.holder, self.until, self.turn)
        campaign.lease_turns[self.subject] = self.turn


@event("incumbent_moved", "moved:{move}:{commit}")
@dataclass(frozen=True)
class IncumbentMoved(Event):
    """The campaign's branch moved, by no experiment: `commit` is what experiments must beat now.

    `why` is "human" if somebody moved the branch, and "base" if the campaign took in the commits of
    its base branch; `absorbed` is then the former incumbent that the base held by content already, as after
    a promotion merged by squash. `reference` is the base branch's head if it brings what a human wrote to the
    files that are trained: time is charged at its measure then.
    """

    commit: str
    previous: str
    move: int
    why: Literal["human", "base"] = "human"
    absorbed: str | None = None
    reference: str | None = None

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        if self.why == "base":
            campaign.taken_in.append(len(campaign.incumbents))
        if self.absorbed is not None:
            campaign.absorbed.add(self.absorbed)
        if self.reference is not None or self._is_written_by_a_human(campaign):
            campaign.reference = self.reference or self.commit
        campaign.incumbents.append(self.commit)
        campaign.moves += 1
        campaign.left_out = None

    def _is_written_by_a_human(self, campaign: Campaign) -> bool:
        """Whether nothing else made the commit: no experiment, and no merge of one."""
        if not campaign.landed_as:
            return True
        made = campaign.candidates.union(campaign.incumbents)
        return self.why == "human" and self.commit not in made


@event("base_left_out", "left_out:{base}:{move}")
@dataclass(frozen=True)
class BaseLeftOut(Event):
    """The base branch's head `base` can't be taken in, for this `reason`: the campaign goes on without it.

    Said once for each head, and again if the campaign's branch moved otherwise (`move`) meanwhile.
    """

    base: str
    reason: str
    move: int

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.left_out = self


@event("loop_stopped", "stopped:{reason}:{after}:{commands}")
@dataclass(frozen=True)
class LoopStopped(Event):
    """A loop came to its end. `after` counts finished experiments: the same stop is recorded once."""

    reason: str
    detail: str
    after: int
    commands: int = 0

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.stopped = self
        campaign.stops.append((self, at))


@event("ledger_mended", "mended:{at_event}")
@dataclass(frozen=True)
class LedgerMended(Event):
    """Damage that was found and put right, in words."""

    note: str
    at_event: int

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.mended.append(self.note)
