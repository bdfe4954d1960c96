"""The loop: reconcile branch and ledger, choose what is next, do it, until a stop condition says why not."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from bot.agents.protocol import Searcher
from bot.errors import UserError
from bot.ledger import now, stamp
from bot.ledger.store import REF
from bot.loop import hooks
from bot.loop.asking import ask_after_stop, ask_for_reader, thank
from bot.loop.choosing import Until as Until
from bot.loop.choosing import step_of
from bot.loop.commits import build, rebase
from bot.loop.confirming import measure_beside, take_out
from bot.loop.context import Context, Done
from bot.loop.gestures import hear_at_intervals, hear_reviews, heed
from bot.loop.judge import audit, train
from bot.loop.land import close, hold, land, landed, refuse, tell_of_held
from bot.loop.leases import giving_back, holds, is_ours, lease_until, take_lease
from bot.loop.measure import measure
from bot.loop.plan import outlook
from bot.loop.promoting import keep_up, promote_at_stop
from bot.loop.propose import propose, repair, revise
from bot.loop.pulls import publish
from bot.loop.render import rendered_files
from bot.loop.review import check
from bot.loop.settings import limits
from bot.loop.start import check_guards, ensure_started, require_space
from bot.loop.taking_in import awaited, take_in, why_moved
from bot.loop.telling import notify
from bot.rules.campaign import Campaign
from bot.rules.confirming import Beside
from bot.rules.events import (
    Event,
    ExperimentClaimed,
    ExperimentFinished,
    IncumbentMoved,
    LeaseTaken,
    LoopStopped,
)
from bot.rules.experiment import Experiment
from bot.rules.halving import Doubt
from bot.rules.reasons import REQUESTED
from bot.rules.schedule import Begin, Continue, MeasureIncumbent, Wait, title_of
from bot.rules.stages import STAGES, Stage, stage_of
from bot.rules.stopping import Stop, is_fixed

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


def run_loop(context: Context, until: Until) -> Stop:
    """Work until a stop condition holds, or what the caller asked for is done. Returns why it ended."""
    campaign = ensure_started(context)
    require_space(context, campaign, campaign.incumbent)
    context = replace(context, may_run=True)
    finished, waited_for = 0, frozenset[int]()
    while True:
        campaign = reconcile(context)
        step = step_of(context, campaign, until, finished)
        if isinstance(step, Stop):
            if step.reason == REQUESTED.name and not until.is_the_end:
                context.ledger.flush()
                return step
            return record_stop(context, campaign, step)
        if isinstance(step, Beside):
            measure_beside(context, step)
            continue
        if isinstance(step, Doubt):
            take_out(context, step)
            continue
        if isinstance(step, Begin | MeasureIncumbent):
            before = campaign.incumbent
            if prepare(context, campaign).incumbent != before:
                continue
            others = awaited(context, campaign) if isinstance(step, Begin) else frozenset()
            if others:  # those that were open when the base branch moved; not for ever those that follow
                waited_for = waited_for & others if waited_for else others
                step = Wait("the base branch has moved") if waited_for else step
        if isinstance(step, Wait):
            context.ledger.flush()
            time.sleep(random.uniform(0.5, 1.5))
        elif isinstance(step, MeasureIncumbent):
            is_first = not campaign.scored_runs
            measure(context, step.commit, experiment=None, title=title_of(step, context.ledger.known()))
            measured = context.ledger.known()
            check_guards(context, measured)
            if is_first and measured.scored_runs:
                context.display.note(outlook(context, measured, now()))
        else:
            if isinstance(step, Continue):
                number: int | None = step.experiment
            else:  # with what is proposed, if nobody is paid for that
                number = begin(context, campaign, step, later=isinstance(context.proposer, Searcher))
            if number is not None and work_on(context, number):
                finished += 1


def deadline_today(text: str, moment: datetime) -> datetime:
    """Return the next time the local clock shows HH:MM."""
    hour, minute = (int(part) for part in text.split(":"))
    local = moment.astimezone()
    when = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return when if when > local else when + timedelta(days=1)


def reconcile(context: Context) -> Campaign:
    """Bring the ledger and the campaign's branch together, whoever moved it.

    A head that an experiment was about to land on is that landing, cut short before it was recorded, and one
    that brings the base branch is that; any other is a human's. Both become the incumbent.
    """
    with looking(context):
        campaign = context.ledger.refresh()
        head = context.forge.branch_head(context.branch)
    if head == campaign.incumbent:
        return campaign
    if head is None:
        context.forge.push_branch(context.branch, campaign.incumbent)
        return campaign
    for experiment in campaign.open_experiments():
        landing = experiment.decision is not None and experiment.decision.land
        if landing and experiment.candidate is not None and experiment.candidate.commit == head:
            record_landing(context, experiment)
            return context.ledger.refresh()
    campaign = context.ledger.refresh()
    if head == campaign.incumbent or head != context.forge.branch_head(context.branch):
        return campaign
    previous, following = campaign.incumbent, why_moved(context, campaign, head)
    event = IncumbentMoved(head, previous, campaign.moves + 1)
    if following is not None:
        event = replace(event, why="base", absorbed=following.absorbed, reference=following.reference)
    moved = context.ledger.append(lambda c: [event] if c.incumbent == previous else [])
    context.display.note(
        f"{context.branch} was moved to {head[:12]}: it is the incumbent now and is measured anew"
    )
    return moved


def record_landing(context: Context, experiment: Experiment) -> None:
    """Write down that the experiment's commit is the branch's head now."""
    event = landed(experiment)
    context.ledger.append(lambda c: [event] if c.incumbent == event.previous else [])


def looking(context: Context) -> AbstractContextManager[None]:
    """Look at the ledger and the campaign's branch in one go, and until something is written not again."""
    return context.git.at_once(context.remote.name_or_url, [REF, f"refs/heads/{context.branch}"])


def prepare(context: Context, campaign: Campaign) -> Campaign:
    """Do what is due between experiments: bring the promotion up to date, and the base branch in."""
    keep_up(context, campaign)
    return take_in(context, campaign)


def begin(context: Context, campaign: Campaign, step: Begin, *, later: bool = False) -> int | None:
    """Claim the number and its lease in one append, at once or `later`; None if another loop was quicker."""
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
            ExperimentClaimed(step.experiment, incumbent, step.reverts, step.retries),
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
    if not (is_ours(context, f"experiment:{number}") or take_lease(context, f"experiment:{number}")):
        return False
    with giving_back(context, f"experiment:{number}"):
        _hear_before(context, number, stages)
        done: list[Stage] = []
        begun = False
        while len(done) < STAGES_OF_ONE and (len(done) < SAME or len(set(done[-SAME:])) > 1):
            campaign = context.ledger.known()
            stage = due(context, campaign, number)
            if stage is not None and (stage not in stages or not _is_free(context, campaign, number, stage)):
                # What the world may see stands on the ledger before, all that goes before it.
                campaign = context.ledger.flush()
                # A stage that follows at once goes on with what its predecessor wrote. Others are looked for before
                # what takes long or can't be undone; their words on the ledger are met with each append anyway.
                if done and stage in LOOK_BEFORE:
                    campaign = reconcile(context)
                stage = due(context, campaign, number)
            if number not in campaign.experiments:
                return False
            experiment = campaign.experiments[number]
            if stage is None:
                _end(context, campaign, experiment)
                return True
            if campaign.paused or not holds(context, campaign, f"experiment:{number}"):
                return False
            if stage == "held" and begun:
                if done[-1:] == ["hold"]:
                    tell_of_held(context, campaign, experiment)
                notify(context, campaign)
                return True
            if stage not in stages:
                return False
            if experiment.proposal is not None and not begun:
                context.display.experiment_begun(campaign, experiment)
                begun = True
            if not done and stage == "train" and heed(context, experiment):
                done.append(stage)
                continue  # ended by a human while nobody worked on it: nothing is trained
            _append(context, number, stage, DOING[stage](context, campaign, experiment))
            done.append(stage)
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


def _append(context: Context, number: int, stage: Stage, done: Done) -> None:
    """Write down what a stage has done, together with what follows, if the experiment still waits for that."""

    def make(fresh: Campaign) -> Sequence[Event]:
        if not holds(context, fresh, f"experiment:{number}") or due(context, fresh, number) != stage:
            return []
        return done.events if done.anew is None else done.anew(fresh)

    if done.events or done.anew is not None:
        ends = any(isinstance(each, ExperimentFinished) for each in done.events)
        context.ledger.append(
            make, lambda after: {**done.files, **(rendered_files(context, after) if ends else {})}, later=True
        )


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


def record_stop(context: Context, campaign: Campaign, stop: Stop) -> Stop:
    """Write down why the loop ended, and render the ledger's own pages. The same stop is recorded once."""
    event = LoopStopped(stop.reason, stop.detail, len(campaign.order), campaign.commands)
    campaign = hear_reviews(context, campaign)
    if campaign.stopped != event:
        promote_at_stop(context, campaign, stop)
        stopped = context.ledger.append(lambda _: [event], later=True)
        context.ledger.write(rendered_files(context, stopped, working=False), "Render the ledger")
        campaign = stopped
    context.ledger.flush()
    notify(context, campaign)
    hooks.after_night(context, context.ledger.known(), stop)
    if stop.reason == "unreviewed":
        ask_for_reader(context, campaign)
    else:
        ask_after_stop(context, stop)
    return stop
