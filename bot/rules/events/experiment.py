"""Events of one experiment, from its claim to its end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from bot.rules.events.registry import Event, Verdict, event
from bot.rules.experiment import Experiment
from bot.rules.outer.reading import from_json
from bot.rules.outer.record import Steered
from bot.rules.rule_changes import AIM

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign

_REVISED = (
    "hypothesis",
    "category",
    "reason",
    "expected_effect",
    "risk",
    "proposer",
    "changes",
    "paths",
    "edit",
)
"""What a revision replaces; what was paid for the first proposal stays counted."""


@event("experiment_claimed", "claimed:{experiment}")
@dataclass(frozen=True)
class ExperimentClaimed(Event):
    """A number is taken for an experiment that starts from the incumbent `parent`.

    `ahead`: it is prepared while something else trains.
    """

    experiment: int
    parent: str
    reverts: int | None = None
    retries: int | None = None
    ahead: bool = False

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        begun = Experiment(self.experiment, at, self.parent, self.reverts, self.retries, by, ahead=self.ahead)
        campaign.put(begun)
        if self.reverts in campaign.reverts_waiting:
            campaign.reverts_waiting.remove(self.reverts)
        if self.retries in campaign.retries_waiting:
            campaign.retries_waiting.remove(self.retries)
        campaign.stopped = None
        if campaign.asked is not None and not campaign.still_asks(campaign.asked.reason):
            campaign.asked = replace(campaign.asked, begun=campaign.asked.begun + 1)


@event("experiment_proposed", "proposed:{experiment}")
@dataclass(frozen=True)
class ExperimentProposed(Event):
    """What is to be tried. The new files stand beside the event in the same ledger commit.

    `edit` is a digest of what changes beside the constants in `changes`, empty if that is all. `outer` is what the
    outer loop made of it (`bot.rules.outer.record.Steered`); without one it is not written down.
    """

    sparse: ClassVar = ("outer",)
    experiment: int
    hypothesis: str
    category: str
    reason: str
    expected_effect: str
    risk: str
    proposer: str
    changes: tuple[dict[str, str], ...] = ()
    paths: tuple[str, ...] = ()
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    edit: str = ""
    idea: int | None = None
    outer: dict[str, Any] | None = None
    author: str = ""
    """Who wrote the change, as `Name <address>`, if it is a commit that a human pushed."""

    @cached_property
    def steered(self) -> Steered | None:
        """`outer`, read. Raises ValueError, which names the field, if it is none."""
        return None if self.outer is None else from_json(Steered, self.outer, "outer")

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        _ = self.steered  # what can't be read is refused here
        campaign.change(self.experiment, proposal=self)
        campaign.proposals_usd += self.cost_usd
        if self.idea is not None:
            campaign.ideas.proposed(self.idea, self.experiment)


@event("proposal_revised", "revised:{experiment}:{revision}")
@dataclass(frozen=True)
class ProposalRevised(Event):
    """The proposal as it came back: fixed after a review or a crash. It takes the place of the one before, files
    and all.

    `round` is the round whose review or crash asked for it; `revision` counts from 1.
    """

    experiment: int
    revision: int
    round: int
    hypothesis: str
    category: str
    reason: str
    expected_effect: str
    risk: str
    proposer: str
    changes: tuple[dict[str, str], ...] = ()
    paths: tuple[str, ...] = ()
    edit: str = ""

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        experiment = campaign.experiments[self.experiment]
        if experiment.proposal is None:
            raise ValueError("it was not proposed")
        revised = {name: getattr(self, name) for name in _REVISED}
        proposal = replace(experiment.proposal, **revised)
        campaign.change(self.experiment, proposal=proposal, revisions=self.revision)


@event("candidate_built", "built:{experiment}:{round}")
@dataclass(frozen=True)
class CandidateBuilt(Event):
    """The commit under test. A further round is the same change on a newer incumbent, or a revised one."""

    experiment: int
    round: int
    parent: str
    commit: str
    added: int
    removed: int
    revision: int = 0

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        before = campaign.experiments[self.experiment]
        old = before.candidate
        campaign.change(
            self.experiment,
            candidate=self,
            review=None,
            decision=None,
            decided_by="",
            carried_over=old is not None and old.revision == self.revision,
            commits=(*before.commits, self.commit),
        )
        campaign.candidates.discard(old.commit if old is not None else "")
        campaign.candidates.add(self.commit)


@event("pull_opened", "opened:{experiment}")
@dataclass(frozen=True)
class PullOpened(Event):
    """The experiment's pull request exists."""

    experiment: int
    pull: int
    branch: str
    url: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.change(self.experiment, pull=self)


@event("reviewed", "reviewed:{experiment}:{round}")
@dataclass(frozen=True)
class Reviewed(Event):
    """The checker's word, before a second of training.

    `revise`: not approved as it is, but it may come back better. `reviewer` says who spoke; `remarks` are what
    a model said of single lines: `path`, `line` and `text`; `comment` is the number of the pull request's comment
    that tells of it, as earlier versions wrote one, `check` that of the check run that says that it trains, if it has
    one; `word` is what a model said as it approved. `looks` is what a human must look at
    before it is merged, in a sentence each.
    """

    experiment: int
    round: int
    approved: bool
    reasons: tuple[str, ...]
    fingerprint: str
    reviewer: str = "rules"
    revise: bool = False
    remarks: tuple[dict[str, str], ...] = ()
    comment: int | None = None
    word: str = ""
    looks: tuple[str, ...] = ()
    check: int | None = None

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        experiment = campaign.experiments[self.experiment]
        comment, reviews = self.comment or experiment.comment, (*experiment.reviews, self)
        campaign.change(self.experiment, review=self, reviews=reviews, comment=comment)


@event("crash_sent_back", "sent_back:{experiment}:{round}")
@dataclass(frozen=True)
class CrashSentBack(Event):
    """The candidate of `round` crashed in `run`, and its maker may fix it: no verdict yet.

    `reason` is class and reason of the failure. Two ends follow: a revised proposal, or the verdict.
    """

    experiment: int
    round: int
    run: str
    reason: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        experiment = campaign.experiments[self.experiment]
        campaign.change(self.experiment, crashes=(*experiment.crashes, self))


@event("experiment_decided", "decided:{experiment}:{round}:{land}")
@dataclass(frozen=True)
class ExperimentDecided(Event):
    """The verdict on one round, with its evidence. Effects are candidate minus incumbent."""

    figures: ClassVar = ("effect", "half_width", "sigma", "score", "against")
    experiment: int
    round: int
    verdict: Verdict
    land: bool
    effect: float | None
    half_width: float | None
    sigma: float | None
    score: float | None
    against: float | None
    candidate_runs: int
    incumbent_runs: int
    reason: str
    lesson: str
    defence: str = ""
    """What refused it, if that was one of the evaluator's defences."""

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        experiment = campaign.experiments[self.experiment]
        aim = campaign.rule.get(AIM, "")
        campaign.change(self.experiment, decision=self, decided_by=experiment.decided_by or by, aim=aim)
