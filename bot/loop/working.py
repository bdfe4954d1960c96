"""One experiment on its way: claimed, and taken from stage to stage under its lease."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from bot.agents.protocol import Searcher
from bot.errors import UserError
from bot.ledger import now, stamp
from bot.ledger.ledger import Files, Make
from bot.loop import hooks
from bot.loop.asking import thank
from bot.loop.commits import build, rebase
from bot.loop.context import Context, Done
from bot.loop.gestures import hear_at_intervals, heed
from bot.loop.judge import audit, train
from bot.loop.land import close, hold, land, refuse, tell_of_held
from bot.loop.leases import giving_back, holds, is_ours, lease_until, take_lease
from bot.loop.promoting import keep_up
from bot.loop.propose import propose, repair, revise
from bot.loop.pulls import publish
from bot.loop.reconciling import reconcile
from bot.loop.render import rendered_files
from bot.loop.review import check
from bot.loop.settings import limits
from bot.loop.telling import notify
from bot.rules.ahead import is_untrained
from bot.rules.campaign import Campaign
from bot.rules.events import Event, ExperimentClaimed, ExperimentFinished, LeaseTaken
from bot.rules.experiment import Experiment
from bot.rules.schedule import Begin
from bot.rules.stages import STAGES, Stage, stage_of
from bot.rules.stopping import is_fixed

STAGES_OF_ONE = 60  # seven rounds take forty; beyond that something goes in circles
LOOK_BEFORE: tuple[Stage, ...] = ("train", "audit", "rebase", "hold", "land")
SAME = 5  # times that a stage may be done in a row: others are quicker, or it can't go on
DOING: Mapping[Stage, Callable[[Context, Campaign, Experiment], Done]] = {
    "propose": propose,
    "build": build,
    "publish": publish,
    "check": check,
    "revise": revise,
    "repair": repair,
    "train": train,
    "audit": audit,
    "rebase": rebase,
    "hold": hold,
    "land": land,
    "refuse": refuse,
    "close": close,
}


def begin(
    context: Context, campaign: Campaign, step: Begin, *, later: bool = False, ahead: bool = False
) -> int | None:
    """Claim the number and its lease in one append, at once or `later`; None if another loop was quicker. `ahead`:
    while something else trains."""
    incumbent = campaign.incumbent

    def make(fresh: Campaign) -> list[Event]:
        limit = context.config.stop.experiments
        taken = step.experiment in fresh.experiments or fresh.incumbent != incumbent
        full = limit is not None and len(fresh.experiments) >= limit and step.reverts is None
        withdrawn = step.reverts is not None and step.reverts not in fresh.reverts_waiting
        withdrawn |= step.retries is not None and step.retries not in fresh.retries_waiting
        if taken or full or withdrawn or fresh.paused or fresh.stop_asked:
            return []
        until = stamp(lease_until(context.config, now()))
        return [
            ExperimentClaimed(step.experiment, incumbent, step.reverts, step.retries, ahead),
            LeaseTaken(f"experiment:{step.experiment}", 1, context.holder, until),
        ]

    # The dashboard says "stopped", or is not there yet: a loop is at work again.
    begun = campaign.stopped is not None or not campaign.experiments
    render = partial(rendered_files, context) if begun else None
    after = context.ledger.append(make, render, later=later)
    return step.experiment if holds(context, after, f"experiment:{step.experiment}") else None


def work_on(context: Context, number: int, stages: Sequence[Stage] = STAGES) -> bool:
    """Do those of `stages` that are due for an experiment, under its lease; True if it came to its end, or to
    where it only waits for a reader of earlier merges.

    The caller has reconciled just now.
    """
    return any(steps(context, number, stages))


def steps(context: Context, number: int, stages: Sequence[Stage] = STAGES) -> Iterator[bool]:
    """Do as `work_on` does, and come back after each stage, and at the end with True if that is what it came to."""
    if not (is_ours(context, f"experiment:{number}") or take_lease(context, f"experiment:{number}")):
        return
    with giving_back(context, f"experiment:{number}"):
        _hear_before(context, number, stages)
        done: list[Stage] = []
        begun = False
        while len(done) < STAGES_OF_ONE and (len(done) < SAME or len(set(done[-SAME:])) > 1):
            campaign = context.ledger.known()
            stage = due(context, campaign, number)
            if stage == "close" and done and context.meanwhile is not None:
                return  # while something else trains, or next
            # What waits to be written is written while the run of one begins that was prepared ahead.
            at_once = stage == "train" and not done and context.meanwhile is not None
            free = stage is None or at_once or _is_free(context, campaign, number, stage)
            if not free or (stage is not None and stage not in stages):
                # What the world may see stands on the ledger before, all that goes before it.
                campaign = context.ledger.flush()
                # A stage that follows at once goes on with what its predecessor wrote. Others are looked for before
                # what takes long or can't be undone; their words on the ledger are met with each append anyway.
                if done and stage in LOOK_BEFORE:
                    campaign = reconcile(context)
                stage = due(context, campaign, number)
            if number not in campaign.experiments:
                return
            experiment = campaign.experiments[number]
            if stage is None:
                _end(context, campaign, experiment)
                yield True
                return
            if campaign.paused or not holds(context, campaign, f"experiment:{number}"):
                return
            if stage == "held" and begun:
                if done[-1:] == ["hold"]:
                    tell_of_held(context, campaign, experiment)
                notify(context, campaign)
                yield True
                return
            if stage not in stages:
                return
            if experiment.proposal is not None and not begun and stage != "close":
                context.display.experiment_begun(campaign, experiment)
                begun = True
            if not done and stage == "train":
                if context.meanwhile is not None and is_untrained(campaign, experiment):
                    context.meanwhile.first(experiment, partial(heed, context))
                elif heed(context, experiment):
                    done.append(stage)
                    yield False
                    continue  # ended by a human while nobody worked on it: nothing is trained
            came = DOING[stage](context, campaign, experiment)
            if came.events or came.anew is not None:
                context.ledger.append(*_entry(context, number, stage, came), later=True)
            done.append(stage)
            yield False
        raise UserError(f"experiment {number} does not come to an end: see `nocturne show {number}`")


def due(context: Context, campaign: Campaign, number: int) -> Stage | None:
    """Return the stage that an experiment waits for; None if it is finished, or is not there."""
    experiment = campaign.experiments.get(number)
    return None if experiment is None else stage_of(campaign, experiment, limits(context.config).unread)


def _is_free(context: Context, campaign: Campaign, number: int, stage: Stage) -> bool:
    """Whether nobody pays for a stage, or sees of it what he would see twice if it were done again."""
    if stage == "propose":
        return isinstance(context.proposer, Searcher)
    if stage == "check":  # of a first round: the branch of a further one moves
        return context.reviewer is None and campaign.experiments[number].round == 1
    return stage in ("build", "refuse")


def _entry(context: Context, number: int, stage: Stage, done: Done) -> tuple[Make, Files]:
    """Return what a stage has done as the ledger takes it, with its files, if the experiment still waits for that."""

    def make(fresh: Campaign) -> Sequence[Event]:
        if not holds(context, fresh, f"experiment:{number}") or due(context, fresh, number) != stage:
            return []
        return done.events if done.anew is None else done.anew(fresh)

    if any(isinstance(each, ExperimentFinished) for each in done.events):
        return make, partial(rendered_files, context, beside=done.files)
    return make, lambda _: done.files


def _hear_before(context: Context, number: int, stages: Sequence[Stage]) -> None:
    """Hear what humans did meanwhile, before an experiment is proposed."""
    if "propose" in stages:
        campaign = context.ledger.known()
        if campaign.asked is not None and is_fixed(campaign.asked):
            thank(context, campaign.asked)
        hear_at_intervals(context, campaign)


def _end(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Tell of an experiment that is finished."""
    context.display.experiment_finished(campaign, experiment)
    if experiment.landed is not None:
        keep_up(context, campaign)
    notify(context, campaign)
    hooks.after_experiment(context, campaign, experiment)
