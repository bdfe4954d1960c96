"""The loop: reconcile branch and ledger, choose what is next, do it, until a stop condition says why not."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import datetime, timedelta

from bot.agents.protocol import Searcher
from bot.ledger import now
from bot.loop import hooks
from bot.loop.asking import ask_after_stop, ask_for_reader
from bot.loop.choosing import Until as Until
from bot.loop.choosing import step_of
from bot.loop.confirming import measure_beside, take_out
from bot.loop.context import Context
from bot.loop.gestures import hear_reviews
from bot.loop.leases import give_all_back, giving_all_back
from bot.loop.measure import measure
from bot.loop.overlap import Overlap
from bot.loop.plan import outlook
from bot.loop.promoting import keep_up, promote_at_stop
from bot.loop.reconciling import reconcile
from bot.loop.render import rendered_files
from bot.loop.start import check_guards, ensure_started, require_space
from bot.loop.taking_in import awaited, take_in
from bot.loop.telling import notify
from bot.loop.working import begin, steps
from bot.rules.campaign import Campaign
from bot.rules.confirming import Beside
from bot.rules.events import LoopStopped
from bot.rules.halving import Doubt
from bot.rules.reasons import REQUESTED
from bot.rules.schedule import Begin, Continue, MeasureIncumbent, Wait, is_fresh, title_of
from bot.rules.stopping import Stop


def run_loop(context: Context, until: Until) -> Stop:
    """Work until a stop condition holds, or what the caller asked for is done. Returns why it ended."""
    campaign = ensure_started(context)
    require_space(context, campaign, campaign.incumbent)
    context = replace(context, may_run=True)
    overlap = Overlap(context, until)
    if overlap.is_wanted:
        context = replace(context, meanwhile=overlap)
    waited_for = frozenset[int]()
    with giving_all_back(context):
        while True:
            overlap.begin_anew()
            campaign = reconcile(context)
            step = step_of(context, campaign, until, overlap.finished)
            if isinstance(step, Stop):
                give_all_back(context)
                if step.reason == REQUESTED.name and not until.is_the_end:
                    context.ledger.flush()
                    return step
                return record_stop(context, campaign, step, looks=until.is_the_end)
            if isinstance(step, Beside):
                measure_beside(context, step)
                continue
            if isinstance(step, Doubt):
                take_out(context, step)
                continue
            begins = isinstance(step, Begin) or is_fresh(campaign, step)
            if begins or isinstance(step, MeasureIncumbent):
                before = campaign.incumbent
                if prepare(context, campaign).incumbent != before:
                    continue
                others = awaited(context, campaign) if begins else frozenset()
                if others:  # those that were open when the base branch moved; not for ever those that follow
                    waited_for = waited_for & others if waited_for else others
                    step = Wait("the base branch has moved") if waited_for else step
            if isinstance(step, Wait):
                context.ledger.flush()
                time.sleep(random.uniform(0.5, 1.5))
            elif isinstance(step, MeasureIncumbent):
                is_first = not campaign.scored_runs
                title = title_of(step, context.ledger.known())
                measure(context, step.commit, experiment=None, title=title, due=step.replicate)
                measured = context.ledger.known()
                check_guards(context, measured)
                if is_first and measured.scored_runs:
                    context.display.note(outlook(context, measured, now()))
            else:
                if isinstance(step, Continue):
                    number: int | None = step.experiment
                else:  # with what is proposed, if nobody is paid for that
                    number = begin(context, campaign, step, later=isinstance(context.proposer, Searcher))
                overlap.in_turn = number
                if number is not None and any(steps(context, number)):
                    overlap.finished += 1


def deadline_today(text: str, moment: datetime) -> datetime:
    """Return the next time the local clock shows HH:MM."""
    hour, minute = (int(part) for part in text.split(":"))
    local = moment.astimezone()
    when = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return when if when > local else when + timedelta(days=1)


def prepare(context: Context, campaign: Campaign) -> Campaign:
    """Do what is due between experiments: bring the promotion up to date, unless that is done while something trains,
    and the base branch in."""
    if context.meanwhile is None:
        keep_up(context, campaign)
    return take_in(context, campaign)


def record_stop(context: Context, campaign: Campaign, stop: Stop, *, looks: bool = False) -> Stop:
    """Write down why the loop ended, and render the ledger's own pages. The same stop is recorded once.

    Reviews are looked for before; if it `looks`, as a loop that somebody started does, even if the stop is no news.
    """
    event = LoopStopped(stop.reason, stop.detail, len(campaign.order), campaign.commands)
    is_news = campaign.stopped != event
    if is_news or looks:
        campaign = hear_reviews(context, campaign, all=True)
    if is_news:
        promote_at_stop(context, campaign, stop)
        stopped = context.ledger.append(lambda _: [event], later=True)
        context.ledger.write(rendered_files(context, stopped, working=False), "Render the ledger")
        campaign = stopped
    context.ledger.flush()
    notify(context, campaign)
    if is_news:
        hooks.after_night(context, context.ledger.known(), stop)
    if stop.reason == "unreviewed":
        ask_for_reader(context, campaign)
    else:
        ask_after_stop(context, stop)
    return stop
