"""The loop itself: choose the next step, do it, until a stop condition says why not."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.loop.context import Context
from bot.loop.measure import measure
from bot.loop.settings import limits
from bot.loop.start import ensure_ready
from bot.loop.taking_in import awaited
from bot.loop.work import begin, choose, prepare, reconcile, record_stop, work_on
from bot.rules.schedule import Begin, Continue, MeasureIncumbent, Wait, title_of
from bot.rules.stopping import Stop


@dataclass(frozen=True)
class Until:
    """How far one call goes: a number of experiments that it may finish, and a time.

    `is_the_end` is False where another call goes on at once: reaching the number is then no event.
    """

    experiments: int | None = None
    deadline: datetime | None = None
    is_the_end: bool = True


def run_loop(context: Context, until: Until) -> Stop:
    """Work until a stop condition holds, or what the caller asked for is done. Returns why it ended."""
    ensure_ready(context)
    context = replace(context, may_run=True)
    finished, waited_for = 0, frozenset[int]()
    while True:
        campaign = reconcile(context)
        if until.experiments is not None and finished >= until.experiments:
            said = f"{finished} experiment{'s' if finished != 1 else ''} asked for, and done"
            stop = Stop("requested", said)
            if until.is_the_end:
                return record_stop(context, campaign, stop)
            context.ledger.flush()
            return stop
        step = choose(context, campaign, limits(context.config, until=until.deadline))
        if isinstance(step, Stop):
            return record_stop(context, campaign, step)
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
            measure(context, step.commit, experiment=None, title=title_of(step, context.ledger.known()))
        else:
            number = step.experiment if isinstance(step, Continue) else begin(context, campaign, step)
            if number is not None and work_on(context, number):
                finished += 1


def deadline_today(text: str, moment: datetime) -> datetime:
    """Return the next time the local clock shows HH:MM."""
    hour, minute = (int(part) for part in text.split(":"))
    local = moment.astimezone()
    when = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return when if when > local else when + timedelta(days=1)
