"""Events of an experiment's way onto the campaign's branch, and of its end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from bot.rules.events.registry import event

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign


@event
@dataclass(frozen=True)
class LandingHeld:
    """A confirmed improvement is not merged yet: `unread` merges wait for a reader, and `limit` may."""

    kind: ClassVar[str] = "landing_held"
    experiment: int
    round: int
    unread: int
    limit: int

    @property
    def key(self) -> str:
        return f"held:{self.experiment}:{self.round}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.put(replace(campaign.experiments[self.experiment], held=self.round))


@event
@dataclass(frozen=True)
class LandingBegun:
    """The campaign's branch is about to be moved to the experiment's commit: from here on no word stops it."""

    kind: ClassVar[str] = "landing_begun"
    experiment: int
    round: int

    @property
    def key(self) -> str:
        return f"landing:{self.experiment}:{self.round}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.put(replace(campaign.experiments[self.experiment], landing=self.round))


@event
@dataclass(frozen=True)
class ExperimentLanded:
    """The tested commit is the head of the campaign's branch."""

    kind: ClassVar[str] = "experiment_landed"
    experiment: int
    commit: str
    previous: str

    @property
    def key(self) -> str:
        return f"landed:{self.experiment}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.put(replace(campaign.experiments[self.experiment], landed=self))
        campaign.landed_as[self.commit] = self.experiment
        campaign.incumbents.append(self.commit)


@event
@dataclass(frozen=True)
class ExperimentFinished:
    """Nothing is left to do: pull request closed or merged, labelled, explained."""

    kind: ClassVar[str] = "experiment_finished"
    experiment: int

    @property
    def key(self) -> str:
        return f"finished:{self.experiment}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        experiment = replace(campaign.experiments[self.experiment], finished_at=at)
        campaign.put(experiment)
        campaign.order.append(experiment.number)
        campaign.ideas.finished(experiment.number, experiment.verdict)
        campaign.leases.pop(f"experiment:{experiment.number}", None)


@event
@dataclass(frozen=True)
class ExperimentRead:
    """A human has read a merged experiment; `source` names how that is known, such as `review:12345`."""

    kind: ClassVar[str] = "experiment_read"
    experiment: int
    source: str

    @property
    def key(self) -> str:
        return f"read:{self.experiment}"

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.read.add(self.experiment)
