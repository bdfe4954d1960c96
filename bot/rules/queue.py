"""What waits in a campaign, in the order in which it comes, and who will read it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from bot.rules.human import is_laid_by
from bot.rules.stages import stage_of

Kind = Literal["open", "revert", "retry", "idea", "held"]


@dataclass(frozen=True)
class Waiting:
    """One thing that waits. `number` is the experiment's that it is about, or the idea's; `stage` what an open
    experiment waits for; `passed_by` the proposers that could not follow an idea."""

    kind: Kind
    number: int
    text: str
    stage: str = ""
    passed_by: tuple[str, ...] = ()

    def is_read_by(self, proposer: str) -> bool:
        """Whether `proposer` has not passed it over."""
        return proposer not in self.passed_by


def queue_of(campaign: Campaign, unread: int | None) -> tuple[Waiting, ...]:
    """Return what waits: open experiments, then what humans asked for, then what is held for a reader. `unread` merges
    may be without one; None: any number."""
    open_now = campaign.open_experiments()
    held = [e for e in open_now if is_laid_by(campaign, e, unread)]
    return (
        *(_open(campaign, e, unread) for e in open_now if e not in held),
        *(Waiting("revert", number, _title(campaign, number)) for number in campaign.reverts_waiting),
        *(Waiting("retry", number, _title(campaign, number)) for number in campaign.retries_waiting),
        *(
            Waiting("idea", idea.number, idea.text, "", campaign.ideas.known[idea.number].passed_by)
            for idea in campaign.ideas.waiting()
        ),
        *(Waiting("held", e.number, e.title) for e in held),
    )


def coming_out(campaign: Campaign) -> list[int]:
    """Return the merged experiments that somebody wants taken out and that are still in: asked for, or in hand."""
    in_hand = [e.reverts for e in campaign.open_experiments() if e.reverts is not None]
    return sorted({*campaign.reverts_waiting, *in_hand})


def _open(campaign: Campaign, experiment: Experiment, unread: int | None) -> Waiting:
    stage = str(stage_of(campaign, experiment, unread) or "")
    return Waiting("open", experiment.number, experiment.title, stage)


def _title(campaign: Campaign, number: int) -> str:
    return campaign.experiments[number].title if number in campaign.experiments else ""
