"""Ledger and campaign's branch brought together, whoever moved the branch."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace

from bot.ledger.store import REF
from bot.loop.context import Context
from bot.loop.land import landed
from bot.loop.taking_in import why_moved
from bot.rules.campaign import Campaign
from bot.rules.events import IncumbentMoved
from bot.rules.experiment import Experiment


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
