"""Who works on what: leases on experiments, runs and issues, taken, renewed and given back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta

from bot.config import Config
from bot.errors import UserError
from bot.ledger import now, stamp
from bot.ledger.holder import is_dead
from bot.loop.context import Context
from bot.rules import schedule
from bot.rules.campaign import Campaign
from bot.rules.events import LeaseTaken


def lease_until(config: Config, moment: datetime) -> datetime:
    return moment + timedelta(minutes=config.lease_minutes)


def take_lease(context: Context, subject: str) -> bool:
    """Take or renew the lease on `subject`; False if somebody else holds it."""

    def make(campaign: Campaign) -> list[LeaseTaken]:
        if is_anothers(context, campaign, subject) or subject.removeprefix("run:") in campaign.runs:
            return []
        turn = campaign.lease_turns.get(subject, 0) + 1
        return [LeaseTaken(subject, turn, context.holder, stamp(lease_until(context.config, now())))]

    return holds(context, context.ledger.append(make), subject)


def is_anothers(context: Context, campaign: Campaign, subject: str) -> bool:
    """Whether somebody else works on `subject`, as far as his lease tells."""
    return schedule.is_anothers(campaign.leases.get(subject), context.holder, now(), is_dead)


def holds(context: Context, campaign: Campaign, subject: str) -> bool:
    """Whether the newest lease on `subject` is ours."""
    lease = campaign.leases.get(subject)
    return lease is not None and lease.holder == context.holder


def is_ours(context: Context, subject: str) -> bool:
    """Whether we hold the lease on `subject` for half its time at least, so that it needs no renewal yet."""
    lease = context.ledger.known().leases.get(subject)
    soon = now() + timedelta(minutes=context.config.lease_minutes / 2)
    return lease is not None and lease.holder == context.holder and lease.until > stamp(soon)


def give_back(context: Context, subject: str) -> None:
    """End our lease on `subject` early, so that another process may go on at once."""
    known = context.ledger.known().leases.get(subject)
    if known is None or known.holder != context.holder or known.until < stamp(now()):
        return  # whoever took it from us wrote that down, and so did we when we ended it

    def make(campaign: Campaign) -> list[LeaseTaken]:
        lease = campaign.leases.get(subject)
        if lease is None or lease.holder != context.holder:
            return []
        return [LeaseTaken(subject, lease.turn + 1, context.holder, stamp(now() - timedelta(seconds=1)))]

    context.ledger.append(make)


@contextlib.contextmanager
def giving_back(context: Context, subject: str) -> Iterator[None]:
    """Give our lease on `subject` back if what is done under it fails, and write what still waits."""
    try:
        yield
    except (UserError, KeyboardInterrupt):
        with contextlib.suppress(UserError):  # what ended us may be in the way of this too
            give_back(context, subject)
            context.ledger.flush()
        raise


def give_all_back(context: Context) -> None:
    """Give back what was prepared ahead or is still to be closed: nobody works on that any more."""
    for experiment in context.ledger.known().open_experiments():
        give_back(context, f"experiment:{experiment.number}")


@contextlib.contextmanager
def giving_all_back(context: Context) -> Iterator[None]:
    """Give back whatever we hold if what is done meanwhile fails."""
    try:
        yield
    except (UserError, KeyboardInterrupt):
        with contextlib.suppress(UserError):
            give_all_back(context)
        raise
