"""The comprehension budget: merges that no human has read yet, and what waits until one has. Pure.

A merge is read once a human has said so on its pull request (by a review or `approve`), or has merged the promotion
that carries it. What was taken out again, or was merged because a human asked to take something out, owes nothing.
"""

from __future__ import annotations

from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment


def unread(campaign: Campaign) -> list[Experiment]:
    """Return the merged experiments that no human has read, in the order in which they landed."""
    landed = campaign.landed()
    gone = {e.reverts for e in landed if e.reverts is not None}
    return [e for e in landed if e.reverts is None and e.number not in gone and e.number not in campaign.read]


def is_spent(campaign: Campaign, limit: int | None) -> bool:
    """Whether `limit` merges are unread; None never is."""
    return limit is not None and len(unread(campaign)) >= limit


def waits(campaign: Campaign, experiment: Experiment, limit: int | None) -> bool:
    """Whether a confirmed improvement has to wait until a human has read some of what was merged before.

    One that a human has approved meanwhile does not, nor one that takes another out, nor one that a human has
    rejected: that ends it. One that has begun to land goes on.
    """
    decision = experiment.decision
    if limit is None or decision is None or not decision.land or experiment.finished_at is not None:
        return False
    free = experiment.reverts is not None or experiment.number in campaign.read | campaign.refused.keys()
    begun = experiment.landed is not None or experiment.landing == experiment.round
    return not free and not begun and is_spent(campaign, limit)


def is_laid_by(campaign: Campaign, experiment: Experiment, limit: int | None) -> bool:
    """Whether it waits and everybody was told, so that nothing is to be done for it now."""
    return experiment.is_held and waits(campaign, experiment, limit)


def in_hand(campaign: Campaign, limit: int | None) -> list[Experiment]:
    """Return the open experiments without those that only wait for a reader."""
    return [e for e in campaign.open_experiments() if not is_laid_by(campaign, e, limit)]
