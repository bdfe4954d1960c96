"""Hears at once what somebody did to an experiment's pull request by hand: it is looked at as the loop does."""

from __future__ import annotations

from collections.abc import Sequence

from bot.base.text import one_line
from bot.forge import NotFound
from bot.forge.github import GitHubForge
from bot.forge.labels import LABELS, is_our_label
from bot.forge.permission import may_write
from bot.github.event import Handling
from bot.loop.context import Context
from bot.loop.gestures import hear_reopened, hear_reviews, heed
from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from bot.tell.views.gesture import about_label
from bot.tell.writers import markdown

_HEARD = ("closed", "reopened", "synchronize", "labeled", "edited", "reviewed")


def why_left_alone(event: Handling) -> str | None:
    """Return why an event of a pull request is none of our business, by itself; None if it may be one."""
    if event.action not in _HEARD:
        return f"it was {one_line(event.action, 20)}, and that says nothing to us"
    if not event.is_ours:
        return "its branch is in another repository"
    if event.action == "labeled" and not is_our_label(event.label):
        return "the label is none of ours"
    return None if event.by_person else "no person did it"


def hear_hand(contexts: Sequence[Context], forge: GitHubForge, event: Handling) -> str:
    """Hear what was done to an experiment's pull request; return a line for the log. May be repeated.

    Nothing at all happens if the one who did it may not write to the repository. Raises `UserError` if GitHub or the
    ledger fails: run again, and what is lacking is done.
    """
    if not may_write(forge.client, event.sender, event.sender_id):
        who = one_line(event.sender, 40)
        return f"ignored: {who} has no permission to write to {forge.client.repository}"
    for context in contexts:
        campaign = context.ledger.refresh()
        for experiment in campaign.experiments.values():
            if experiment.pull is not None and experiment.pull.pull == event.pull:
                try:
                    return _hear(context, campaign, experiment, event)
                except NotFound:
                    return f"not heard: there is no pull request {event.pull} any more"
    return "ignored: it is no experiment's"


def _hear(context: Context, campaign: Campaign, experiment: Experiment, event: Handling) -> str:
    number = experiment.number
    if event.action == "edited":
        return f"experiment {number}: its texts are kept as they are now"
    if event.action == "reviewed":
        heard = number in hear_reviews(context, campaign, all=True).read
        return (
            f"experiment {number} counts as read"
            if heard
            else f"experiment {number} is not merged and unread"
        )
    if experiment.finished_at is None:
        if heed(context, experiment):
            return f"experiment {number} is rejected"
    elif event.action in ("reopened", "synchronize"):
        heard = hear_reopened(context, campaign, experiment)
        return f"experiment {number} is tried again" if heard else f"experiment {number}: nothing new"
    if event.action == "labeled" and (
        experiment.finished_at is not None or event.label != LABELS["rejected"]
    ):
        said = markdown.write(about_label(event.label, experiment.finished_at is not None))
        context.forge.upsert_comment(event.pull, "label", said)
        return f"experiment {number}: answered what the label says"
    return f"experiment {number}: nothing new"
