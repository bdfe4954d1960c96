"""Events of an experiment's way onto the campaign's branch and to its end, and of what carries gains to the base."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from bot.rules.events.registry import Event, event
from bot.rules.experiment import Promotion

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign


@event("landing_held", "held:{experiment}:{round}")
@dataclass(frozen=True)
class LandingHeld(Event):
    """A confirmed improvement is not merged yet: `unread` merges wait for a reader, and `limit` may."""

    experiment: int
    round: int
    unread: int
    limit: int

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.change(self.experiment, held=self.round)


@event("landing_begun", "landing:{experiment}:{round}")
@dataclass(frozen=True)
class LandingBegun(Event):
    """The campaign's branch is about to be moved to the experiment's commit: from here on no word stops it."""

    experiment: int
    round: int

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.change(self.experiment, landing=self.round)


@event("experiment_landed", "landed:{experiment}")
@dataclass(frozen=True)
class ExperimentLanded(Event):
    """The tested commit is the head of the campaign's branch."""

    experiment: int
    commit: str
    previous: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.change(self.experiment, landed=self)
        campaign.landed_as[self.commit] = self.experiment
        campaign.incumbents.append(self.commit)


@event("merge_doubted", "doubted:{experiment}")
@dataclass(frozen=True)
class MergeDoubted(Event):
    """A merge is to be taken out: side by side it is `worth` less than what was `claimed` for it, in score units."""

    figures: ClassVar = ("claimed", "worth")
    experiment: int
    claimed: float
    worth: float

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.doubted[self.experiment] = self
        if self.experiment not in campaign.reverts_waiting:
            campaign.reverts_waiting.append(self.experiment)


@event("experiment_finished", "finished:{experiment}")
@dataclass(frozen=True)
class ExperimentFinished(Event):
    """Nothing is left to do: pull request closed or merged, labelled, explained."""

    experiment: int

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        experiment = replace(campaign.experiments[self.experiment], finished_at=at)
        campaign.put(experiment)
        campaign.order.append(experiment.number)
        if experiment.candidate is not None:
            tries = campaign.tries_of(experiment.candidate.commit)
            campaign.short.end(tries, experiment.verdict == "discarded")
        campaign.ideas.finished(experiment.number, experiment.verdict)
        campaign.leases.pop(f"experiment:{experiment.number}", None)


@event("experiment_read", "read:{experiment}")
@dataclass(frozen=True)
class ExperimentRead(Event):
    """A human has read a merged experiment; `source` names how that is known, such as `review:12345`."""

    experiment: int
    source: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.read.add(self.experiment)


@event("promotion_opened", "promotion:{pull}")
@dataclass(frozen=True)
class PromotionOpened(Event):
    """The pull request that carries the campaign's confirmed gains to its base branch exists."""

    pull: int
    url: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.promotions.append(Promotion(self.pull, self.url))


@event("promotion_shown", "promotion:{pull}:shown:{turn}")
@dataclass(frozen=True)
class PromotionShown(Event):
    """The promotion tells of the incumbent `head`. `digest` is of its text, so that it is not written twice;
    `base` is where the base branch was then, `turn` counts, and `audit` is what was known of the head's audit."""

    pull: int
    head: str
    base: str
    digest: str
    turn: int
    audit: str = ""

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        place, known = campaign.promotion_of(self.pull)
        shown = replace(
            known, head=self.head, base=self.base, digest=self.digest, turn=self.turn, audit=self.audit
        )
        campaign.promotions[place] = shown


@event("promotion_ended", "promotion:{pull}:ended")
@dataclass(frozen=True)
class PromotionEnded(Event):
    """The promotion is over, and `head` the last incumbent that it told of.

    "closed" by a human it is not opened again until somebody asks; "empty" is one whose gains the base branch
    got otherwise, or that were all taken out again. `merger` is who merged it: a human has read it then.
    """

    pull: int
    state: Literal["merged", "closed", "empty"]
    head: str
    merger: Literal["human", "bot"] = "human"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        place, known = campaign.promotion_of(self.pull)
        campaign.promotions[place] = replace(known, state=self.state, head=self.head)
        if self.state == "merged" and self.merger == "human" and self.head in campaign.incumbents:
            held = set(campaign.incumbents[: campaign.incumbents.index(self.head) + 1])
            campaign.read |= {e.number for e in campaign.landed() if e.landed and e.landed.commit in held}
