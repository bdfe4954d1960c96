"""The loop itself: choose the next step, do it, until a stop condition says why not."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot import machine
from bot.errors import UserError
from bot.ledger import now, stamp
from bot.loop.desk import Desk, lease_until, limits
from bot.loop.judging import train
from bot.loop.landing import land, record_landing
from bot.loop.measure import give_back, measure, take_lease
from bot.loop.proposing import build, propose, rebase
from bot.loop.publishing import check, close, publish
from bot.loop.render import rendered_files
from bot.loop.start import ensure_started
from bot.rules.campaign import Campaign, Experiment
from bot.rules.events import Event, ExperimentClaimed, IncumbentMoved, LeaseTaken, LoopStopped
from bot.rules.schedule import Begin, Continue, MeasureIncumbent, Standing, Step, Wait, next_step
from bot.rules.stopping import Limits, Stop

RENDER_EVERY = 10
Stage = Callable[[Desk, Campaign, Experiment], None]


@dataclass(frozen=True)
class Until:
    """How far one call goes: a number of experiments that it may finish, and a time."""

    experiments: int | None = None
    deadline: datetime | None = None


def run_loop(desk: Desk, until: Until) -> Stop:
    """Work until a stop condition holds, or what the caller asked for is done. Returns why it ended."""
    ensure_started(desk)
    finished = 0
    while True:
        campaign = reconcile(desk)
        if until.experiments is not None and finished >= until.experiments:
            stop = Stop("requested", f"the {finished} experiments that were asked for are done")
            desk.ledger.write(rendered_files(desk, campaign), "Render the ledger")
            return stop
        step = choose(desk, campaign, limits(desk.config, until=until.deadline))
        if isinstance(step, Stop):
            return _record_stop(desk, campaign, step)
        if isinstance(step, Wait):
            time.sleep(random.uniform(0.5, 1.5))
        elif isinstance(step, MeasureIncumbent):
            measure(desk, step.commit, experiment=None, title=f"incumbent ({step.why})")
        else:
            number = step.experiment if isinstance(step, Continue) else begin(desk, campaign, step)
            if number is not None and work_on(desk, number):
                finished += 1


def choose(desk: Desk, campaign: Campaign, until: Limits) -> Step:
    """Choose the next step for this process."""
    prints = [
        run.fingerprint for run in campaign.runs.values() if run.runner == desk.runner and run.fingerprint
    ]
    standing = Standing(
        holder=desk.holder,
        now=now(),
        runner=desk.runner,
        fingerprint=prints[-1] if prints else None,
        limits=until,
        incumbent_runs=desk.config.verdict.min_runs,
        remeasure_every=desk.config.verdict.remeasure_every,
        is_dead=machine.is_dead,
    )
    return next_step(campaign, standing)


def reconcile(desk: Desk) -> Campaign:
    """Bring the ledger and the campaign's branch together, whoever moved it.

    A head that an experiment was about to land on is that landing, cut short before it was recorded; any
    other is a human's, and becomes the incumbent.
    """
    campaign = desk.ledger.refresh()
    head = desk.forge.branch_head(desk.branch)
    if head == campaign.incumbent:
        return campaign
    if head is None:
        desk.forge.push_branch(desk.branch, campaign.incumbent)
        return campaign
    for experiment in campaign.open_experiments():
        landing = experiment.decision is not None and experiment.decision.land
        if landing and experiment.candidate is not None and experiment.candidate.commit == head:
            record_landing(desk, experiment)
            return desk.ledger.refresh()
    campaign = desk.ledger.refresh()
    if head == campaign.incumbent or head != desk.forge.branch_head(desk.branch):
        return campaign
    previous = campaign.incumbent
    moved = desk.ledger.append(
        lambda c: [IncumbentMoved(head, previous, c.moves + 1)] if c.incumbent == previous else []
    )
    desk.display.note(f"{desk.branch} was moved to {head[:12]}: it is the incumbent now and is measured anew")
    return moved


def begin(desk: Desk, campaign: Campaign, step: Begin) -> int | None:
    """Claim the number and its lease in one append; None where another loop was quicker."""
    incumbent = campaign.incumbent

    def make(fresh: Campaign) -> list[Event]:
        limit = desk.config.stop.experiments
        taken = step.experiment in fresh.experiments or fresh.incumbent != incumbent
        full = limit is not None and len(fresh.experiments) >= limit and step.reverts is None
        withdrawn = step.reverts is not None and step.reverts not in fresh.reverts_waiting
        if taken or full or withdrawn or fresh.paused or fresh.stop_asked:
            return []
        until = stamp(lease_until(desk.config, now()))
        return [
            ExperimentClaimed(step.experiment, incumbent, step.reverts),
            LeaseTaken(f"experiment:{step.experiment}", 1, desk.holder, until),
        ]

    after = desk.ledger.append(make)
    lease = after.leases.get(f"experiment:{step.experiment}")
    return step.experiment if lease is not None and lease.holder == desk.holder else None


STAGE_ORDER = ("propose", "build", "publish", "check", "train", "rebase", "land", "close")


def work_on(desk: Desk, number: int, stages: Sequence[str] = STAGE_ORDER) -> bool:
    """Do those of `stages` that are due for an experiment, under its lease; True where it came to its end."""
    if not take_lease(desk, f"experiment:{number}"):
        return False
    begun = False
    while True:
        campaign = reconcile(desk)
        experiment = campaign.experiments[number]
        if experiment.finished_at is not None:
            desk.display.experiment_finished(campaign, experiment)
            _render_at_intervals(desk, campaign)
            return True
        if campaign.paused:
            return False
        name, stage = next_stage(campaign, experiment)
        if name not in stages:
            return False
        if experiment.proposal is not None and not begun:
            desk.display.experiment_begun(campaign, experiment)
            begun = True
        stage(desk, campaign, experiment)


def next_stage(campaign: Campaign, experiment: Experiment) -> tuple[str, Stage]:
    """Return the stage that comes next for an open experiment."""
    if experiment.decision is not None:
        if not experiment.decision.land or experiment.landed is not None:
            return "close", close
        if experiment.parent != campaign.incumbent:
            return "rebase", rebase
        return "land", land
    if experiment.proposal is None:
        return "propose", propose
    if experiment.candidate is None:
        return "build", build
    if experiment.pull is None:
        return "publish", publish
    if experiment.review is None:
        return "check", check
    return "train", train


def _render_at_intervals(desk: Desk, campaign: Campaign) -> None:
    if len(campaign.order) % RENDER_EVERY == 0:
        desk.ledger.write(rendered_files(desk, campaign), "Render the ledger")


def _record_stop(desk: Desk, campaign: Campaign, stop: Stop) -> Stop:
    event = LoopStopped(stop.reason, stop.detail, len(campaign.order), campaign.commands)
    desk.ledger.append(
        lambda c: [event] if c.stopped != event else [],
        lambda c: rendered_files(desk, c),
    )
    return stop


def deadline_today(text: str, moment: datetime) -> datetime:
    """Return the next time the local clock shows HH:MM."""
    hour, minute = (int(part) for part in text.split(":"))
    local = moment.astimezone()
    when = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return when if when > local else when + timedelta(days=1)


def propose_next(desk: Desk) -> int | Stop:
    """Take one experiment up to its reviewed pull request; return its number, or why there is none."""
    ensure_started(desk)
    campaign = reconcile(desk)
    step = choose(desk, campaign, limits(desk.config))
    if isinstance(step, Stop):
        return _record_stop(desk, campaign, step)
    for experiment in campaign.open_experiments():
        if STAGE_ORDER.index(next_stage(campaign, experiment)[0]) < STAGE_ORDER.index("train"):
            number: int | None = experiment.number
            break
    else:
        revert = next(iter(campaign.reverts_waiting), None)
        number = begin(desk, campaign, Begin(max(campaign.experiments, default=0) + 1, revert))
    if number is None:
        raise UserError("another loop took the next experiment: run the command again")
    work_on(desk, number, STAGE_ORDER[: STAGE_ORDER.index("train")])
    give_back(desk, f"experiment:{number}")
    stopped = desk.ledger.refresh().stopped
    return number if stopped is None else Stop(stopped.reason, stopped.detail)


def advance(desk: Desk, number: int | None, *, first_stage: str, last_stage: str) -> int:
    """Take an open experiment through the stages from `first_stage` to `last_stage`; return its number."""
    ensure_started(desk)
    campaign = reconcile(desk)
    window = STAGE_ORDER[STAGE_ORDER.index(first_stage) : STAGE_ORDER.index(last_stage) + 1]
    ready = [e.number for e in campaign.open_experiments() if next_stage(campaign, e)[0] in window]
    if number is None:
        if not ready:
            raise UserError(f"no experiment waits for {last_stage}: `nocturne propose` opens one")
        number = ready[0]
    elif number not in campaign.experiments:
        raise UserError(f"there is no experiment {number}: `nocturne status` lists them")
    elif number not in ready:
        experiment = campaign.experiments[number]
        at = "finished" if experiment.finished_at else f"at the stage {next_stage(campaign, experiment)[0]}"
        raise UserError(f"experiment {number} is {at}: nothing to do here")
    if not take_lease(desk, f"experiment:{number}"):
        raise UserError(f"another loop works on experiment {number}: wait, or let its lease run out")
    work_on(desk, number, window)
    give_back(desk, f"experiment:{number}")
    return number
