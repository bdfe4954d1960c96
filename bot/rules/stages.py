"""Which stage of an experiment comes next: for the loop, for jobs that do single stages, and for all who tell of it."""

from __future__ import annotations

from typing import Literal, get_args

from bot.rules.ahead import is_stale
from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from bot.rules.human import is_due, waits

Stage = Literal[
    "propose", "build", "publish", "check", "revise", "repair", "train", "audit", "rebase", "hold", "held", "land",
    "refuse", "close",
]  # fmt: skip
STAGES: tuple[Stage, ...] = tuple(stage for stage in get_args(Stage) if stage != "held")
"""What there is to do, in the order in which it comes. "refuse" writes down that a human rejected the experiment;
nothing is to be done while it is "held", for it waits for a reader of earlier merges, and everybody was told."""


def between(first: Stage, last: Stage) -> tuple[Stage, ...]:
    """Return the stages from `first` to `last`, both included."""
    return STAGES[STAGES.index(first) : STAGES.index(last) + 1]


EARLY = between("propose", "repair")
"""Before it is trained."""
TRAINING: tuple[Stage, ...] = ("train", "audit")
"""What makes runs."""


def stage_of(campaign: Campaign, experiment: Experiment, unread: int | None) -> Stage | None:
    """Return the stage that comes next for an experiment, None once it is finished. `unread` merges may be without a
    reader; None: any number."""
    if experiment.finished_at is not None:
        return None
    if is_due(campaign, experiment):
        return "refuse"
    if experiment.drawn and experiment.measured is None:
        return "audit"
    if experiment.decision is not None:
        return _after_verdict(campaign, experiment, unread)
    stage = _before_training(experiment)
    if stage is None and is_stale(campaign, experiment):
        return "rebase"
    return stage or ("train" if experiment.sent_back is None else "repair")


def _before_training(experiment: Experiment) -> Stage | None:
    if experiment.proposal is None:
        return "propose"
    if experiment.candidate is None or experiment.candidate.revision < experiment.revisions:
        return "build"
    if experiment.pull is None:
        return "publish"
    if experiment.review is None:
        return "check"
    return "revise" if experiment.review.revise else None


def _after_verdict(campaign: Campaign, experiment: Experiment, unread: int | None) -> Stage:
    assert experiment.decision is not None
    if not experiment.decision.land or experiment.landed is not None:
        return "close"
    if waits(campaign, experiment, unread):
        return "held" if experiment.is_held else "hold"
    return "land" if experiment.parent == campaign.incumbent else "rebase"
