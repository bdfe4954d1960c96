"""Holds what is confirmed while too many merges are unread, asks for a reader, and hears of reviews on GitHub."""

from __future__ import annotations

from datetime import timedelta

from bot.errors import UserError
from bot.forge import NotFound
from bot.ledger import now, stamp
from bot.loop.asking import ask
from bot.loop.by_hand import heed
from bot.loop.context import Context, limits
from bot.loop.proposing import ensure_commit
from bot.loop.publishing import state_verdict
from bot.pulls.status import COMMENT, held_comment
from bot.report.formats import count
from bot.rules.campaign import Campaign, Experiment
from bot.rules.events import Event, ExperimentRead, LandingHeld, LeaseTaken
from bot.rules.unreviewed import unread, waits

LOOK_EVERY = 3  # experiments, while something is held: a look is a request or two


def hold(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Let a confirmed improvement wait for a reader of earlier merges: say so where people look, and ask.

    Whether one has read some meanwhile is looked for first. Its lease is given back: whoever finds the debt paid
    goes on with it.
    """
    limit = limits(context.config).unread
    campaign = hear_reviews(context, campaign)
    if limit is None or not waits(campaign, experiment, limit):
        return
    debt = len(unread(campaign))
    ensure_commit(context, experiment)
    state_verdict(context, campaign, experiment)
    if experiment.pull is not None:
        on_github = context.remote.kind == "github"
        said = held_comment(campaign, experiment, debt, on_github=on_github)
        context.forge.upsert_comment(experiment.pull.pull, COMMENT, said, at=experiment.comment)
    number, subject = experiment.number, f"experiment:{experiment.number}"

    def make(fresh: Campaign) -> list[Event]:
        known = fresh.experiments[number]
        if known.is_held or not waits(fresh, known, limit):
            return []
        events: list[Event] = [LandingHeld(number, known.round, debt, limit)]
        lease = fresh.leases.get(subject)
        if lease is not None and lease.holder == context.holder:
            over = stamp(now() - timedelta(seconds=1))
            events.append(LeaseTaken(subject, lease.turn + 1, context.holder, over))
        return events

    campaign = context.ledger.append(make)
    if campaign.experiments[number].is_held:
        context.display.note(
            f"experiment {number} is confirmed, and held: {count(debt, 'merge')} unread; `nocturne status` says"
            " what to read"
        )
        ask_for_reader(context, campaign)


def ask_for_reader(context: Context, campaign: Campaign) -> None:
    """Ask for a human who reads, unless the campaign's issue asks for something else now."""
    if campaign.asked is None or campaign.asked.reason == "unreviewed":
        limit = context.config.max_unreviewed_merges
        wait = f"{count(limit, 'merge')} {'waits' if limit == 1 else 'wait'}"
        ask(context, "unreviewed", f"{wait} for a human to read, and no more may (max_unreviewed_merges)")


def hear_at_intervals(context: Context, campaign: Campaign) -> None:
    """Hear of reviews now and then while something is held: for the beginning of an experiment."""
    held = any(e.is_held for e in campaign.open_experiments())
    if held and len(campaign.order) % LOOK_EVERY == 0:
        hear_reviews(context, campaign)


def hear_reviews(context: Context, campaign: Campaign) -> Campaign:
    """Write down which unread merges somebody has reviewed on GitHub; return the campaign as it is then.

    What can't be looked up is looked up another time: `approve` is heard without.
    """
    for held in [e for e in campaign.open_experiments() if e.is_held and e.number not in campaign.refused]:
        if heed(context, held):
            campaign = context.ledger.known()
    merged = {e.pull.pull: e for e in unread(campaign) if e.pull is not None and e.finished_at is not None}
    if not merged:
        return campaign
    try:
        found = context.forge.reviewed({pull: e.finished_at or "" for pull, e in merged.items()})
    except (UserError, NotFound) as error:
        context.display.note(f"reviews of merged experiments can't be looked up: {error}")
        return campaign
    if not found:
        return campaign
    seen = [ExperimentRead(merged[pull].number, source) for pull, source in found.items()]
    return context.ledger.append(lambda c: [each for each in seen if each.experiment not in c.read])
