"""What the fold knows of one experiment, lease, promotion and plea to a human; `bot.rules.events` change them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bot.rules import events as ev


@dataclass(frozen=True)
class Lease:
    """Who works on a subject, until when (ISO 8601, UTC), and which turn it is."""

    holder: str
    until: str
    turn: int


@dataclass(frozen=True)
class Experiment:
    """One proposed change, as far as it has come."""

    number: int
    claimed_at: str
    claimed_on: str
    reverts: int | None = None
    retries: int | None = None
    claimed_by: str = ""
    proposal: ev.ExperimentProposed | None = None
    candidate: ev.CandidateBuilt | None = None
    pull: ev.PullOpened | None = None
    review: ev.Reviewed | None = None
    reviews: tuple[ev.Reviewed, ...] = ()
    """All rounds', the last one's included."""
    comment: int | None = None
    """The number of the comment on its pull request, if that has one."""
    decision: ev.ExperimentDecided | None = None
    decided_by: str = ""
    """Who wrote the round's first decision."""
    aim: str = ""
    """The aim of the rule that decided, empty if nothing recorded it."""
    landing: int = 0
    """The round in which it was about to land, 0 if it has not come so far."""
    landed: ev.ExperimentLanded | None = None
    finished_at: str | None = None
    revisions: int = 0
    held: int = 0
    """The round in which it was found to wait for a reader of earlier merges, 0 if it never was."""
    carried_over: bool = False
    """Whether this round is the one before, put on a newer incumbent: nothing in it is new."""
    crashes: tuple[ev.CrashSentBack, ...] = ()
    """Crashes that went back to the maker, one a round."""
    drawn: bool = False
    """Whether it was rejected and is trained once all the same."""
    measured: ev.RejectionMeasured | None = None
    commits: tuple[str, ...] = ()
    """Its candidates, one a round: what stands on its branch, unless somebody pushed there."""
    ahead: bool = False
    """Whether it was begun while something else trained."""

    @property
    def asked_for(self) -> bool:
        """Whether a human asked for it: to take an experiment out, to try one again, or to try a commit of theirs."""
        pushed = self.proposal is not None and bool(self.proposal.author)
        return pushed or self.reverts is not None or self.retries is not None

    @property
    def round(self) -> int:
        return self.candidate.round if self.candidate else 0

    @property
    def is_held(self) -> bool:
        """Whether it was last seen to wait for a reader: confirmed, and neither merged nor closed since."""
        waiting = self.decision is not None and self.decision.land and self.landing != self.round
        return self.held == self.round > 0 and waiting and self.landed is None

    @property
    def carried(self) -> int:
        """How often the change was put on a newer incumbent."""
        return max(0, self.round - 1 - self.revisions)

    @property
    def sent_back(self) -> ev.CrashSentBack | None:
        """The crash of this round, if its maker is to fix it now."""
        latest = self.crashes[-1] if self.crashes else None
        waits = latest is not None and latest.round == self.round and self.decision is None
        return latest if waits else None

    @property
    def repairs(self) -> int:
        """How often it was fixed after a crash; these count among the revisions."""
        return sum(1 for crash in self.crashes if crash.round < self.round)

    @property
    def parent(self) -> str:
        return self.candidate.parent if self.candidate else self.claimed_on

    @property
    def commit(self) -> str | None:
        """The commit that landed, else the one under test; None before there is any."""
        made = self.landed or self.candidate
        return made.commit if made else None

    @property
    def verdict(self) -> ev.Verdict | None:
        return self.decision.verdict if self.decision else None

    @property
    def title(self) -> str:
        return self.proposal.hypothesis if self.proposal else "(not proposed yet)"


@dataclass(frozen=True)
class Promotion:
    """One pull request to the base branch. `head` is the incumbent it tells of, `base` where the base was."""

    pull: int
    url: str
    state: Literal["open", "merged", "closed", "empty"] = "open"
    head: str = ""
    base: str = ""
    digest: str = ""
    turn: int = 0
    audit: str = ""
    """What it tells of the head's audit (`bot.rules.audits.Lineage.state`)."""


@dataclass(frozen=True)
class Asked:
    """What a human is needed for now; `issue` says so, as far as `told`. `begun` counts experiments since."""

    number: int
    turn: int
    reason: str
    detail: str
    told: bool = False
    issue: int | None = None
    url: str = ""
    begun: int = 0


def asked_after(before: Asked | None, event: ev.HumanAsked) -> Asked:
    """Return what is asked once `event` is written; the same words again need not be told again."""
    if before is None:
        return Asked(event.number, event.turn, event.reason, event.detail)
    same = (before.reason, before.detail) == (event.reason, event.detail)
    return Asked(
        event.number, event.turn, event.reason, event.detail, before.told and same, before.issue, before.url
    )
