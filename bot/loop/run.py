"""The loop itself: choose the next step, do it, until a stop condition says why not."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.loop.desk import Desk, limits
from bot.loop.measure import measure
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


def run_loop(desk: Desk, until: Until) -> Stop:
    """Work until a stop condition holds, or what the caller asked for is done. Returns why it ended."""
    ensure_ready(desk)
    desk = replace(desk, may_run=True)
    finished, waited_for = 0, frozenset[int]()
    while True:
        campaign = reconcile(desk)
        if until.experiments is not None and finished >= until.experiments:
            said = f"{finished} experiment{'s' if finished != 1 else ''} asked for, and done"
            stop = Stop("requested", said)
            return record_stop(desk, campaign, stop) if until.is_the_end else stop
        step = choose(desk, campaign, limits(desk.config, until=until.deadline))
        if isinstance(step, Stop):
            return record_stop(desk, campaign, step)
        if isinstance(step, Begin | MeasureIncumbent):
            before = campaign.incumbent
            if prepare(desk, campaign).incumbent != before:
                continue
            others = awaited(desk, campaign) if isinstance(step, Begin) else frozenset()
            if others:  # those that were open when the base branch moved; not for ever those that follow
                waited_for = waited_for & others if waited_for else others
                step = Wait("the base branch has moved") if waited_for else step
        if isinstance(step, Wait):
            time.sleep(random.uniform(0.5, 1.5))
        elif isinstance(step, MeasureIncumbent):
            measure(desk, step.commit, experiment=None, title=title_of(step, desk.ledger.known()))
        else:
            number = step.experiment if isinstance(step, Continue) else begin(desk, campaign, step)
            if number is not None and work_on(desk, number):
                finished += 1


def deadline_today(text: str, moment: datetime) -> datetime:
    """Return the next time the local clock shows HH:MM."""
    hour, minute = (int(part) for part in text.split(":"))
    local = moment.astimezone()
    when = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return when if when > local else when + timedelta(days=1)
