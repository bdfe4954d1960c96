"""What a human may say about one experiment, and the merges that no human has read yet. Pure."""

from __future__ import annotations

from bot.rules.campaign import Campaign
from bot.rules.commands import ExperimentCommand
from bot.rules.decision import decision_of
from bot.rules.events import ExperimentDecided
from bot.rules.experiment import Experiment

BY_HAND = "pull:"  # how the source of a rejection begins that was a deed on the pull request, and no word


def objection(campaign: Campaign, command: ExperimentCommand, number: int, *, call: str) -> str | None:
    """Return why `command` can't be done to an experiment, in plain words; None if it can.

    `call` is how a command begins where it was given: `nocturne`, or `/nocturne` in a comment.
    """
    experiment = campaign.experiments.get(number)
    if experiment is None:
        return f"there is no experiment {number}"
    match command:
        case "revert":
            return _no_revert(campaign, experiment)
        case "retry":
            return _no_retry(campaign, experiment, call)
        case "approve":
            return _no_approval(campaign, experiment, call)
        case "reject":
            return _no_rejection(campaign, experiment, call)


def _no_revert(campaign: Campaign, experiment: Experiment) -> str | None:
    if experiment.landed is None:
        return f"experiment {experiment.number} was not merged: there is nothing to take out"
    others = (e for e in campaign.experiments.values() if e.reverts == experiment.number)
    done = any(e.finished_at is None or e.landed is not None for e in others)
    if done or experiment.number in campaign.reverts_waiting:
        return f"experiment {experiment.number} is being taken out already, or is out"
    return None


def _no_retry(campaign: Campaign, experiment: Experiment, call: str) -> str | None:
    number = experiment.number
    if experiment.finished_at is None:
        return (
            f"experiment {number} is still open: the loop goes on with it by itself, even if a run was lost"
        )
    if experiment.reverts is not None:
        return f"experiment {number} was to take another one out: `{call} revert {experiment.reverts}` asks for that"
    if experiment.proposal is None:
        return f"experiment {number} had no proposal: there is nothing to try again"
    if experiment.landed is not None and reverted_by(campaign, number) is None:
        return f"experiment {number} is merged: there is nothing to try again"
    others = (e for e in campaign.open_experiments() if e.retries == number)
    if number in campaign.retries_waiting or any(others):
        return f"experiment {number} is being tried again already"
    return None


def _no_approval(campaign: Campaign, experiment: Experiment, call: str) -> str | None:
    number = experiment.number
    if experiment.landed is not None:
        reverted = reverted_by(campaign, number)
        if reverted is not None:
            return f"experiment {number} was taken out again by experiment {reverted}"
        return f"experiment {number} counts as read already" if number in campaign.read else None
    review = experiment.review
    if review is not None and not review.approved and not review.revise:
        return (
            f"the review refused experiment {number} before training, and no word overrules it: `{call} explain"
            f" {number}` says why, and `{call} retry {number}` tries it again if that no longer holds"
        )
    if experiment.is_held:
        return f"experiment {number} counts as read already" if number in campaign.read else None
    if experiment.finished_at is None:
        return (
            f"experiment {number} is still open and waits for nobody: what was measured decides; `{call} reject"
            f" {number}` ends it"
        )
    return (
        f"experiment {number} was not merged ({experiment.verdict}): there is nothing to approve;"
        f" `{call} retry {number}` tries it again"
    )


def _no_rejection(campaign: Campaign, experiment: Experiment, call: str) -> str | None:
    number = experiment.number
    if experiment.landed is not None:
        if reverted_by(campaign, number) is not None:
            return f"experiment {number} is out already"
        return f"experiment {number} is merged: `{call} revert {number}` takes it out again"
    decision = experiment.decision
    if experiment.finished_at is not None or (decision is not None and not decision.land):
        said = f" ({experiment.verdict})" if experiment.verdict else ""
        return f"experiment {number} is closed already{said}: nothing of it was merged"
    if experiment.landing == experiment.round > 0:
        return (
            f"experiment {number} is being merged right now: `{call} revert {number}` takes it out again then"
        )
    if number in campaign.refused:
        return f"experiment {number} is being closed as rejected already"
    return None


def reverted_by(campaign: Campaign, number: int) -> int | None:
    """Return the experiment that took a merged one out again, None if it is in."""
    return next((e.number for e in campaign.landed() if e.reverts == number), None)


def is_due(campaign: Campaign, experiment: Experiment) -> bool:
    """Whether a human's rejection is what comes next for an open experiment.

    One that has a branch gets its pull request first, so that there is nothing open that nobody knows of.
    """
    if experiment.number not in campaign.refused or experiment.landed is not None:
        return False
    known = experiment.candidate is None or experiment.pull is not None
    open_yet = experiment.decision is None or experiment.decision.land
    return (
        known
        and open_yet
        and not (experiment.landing == experiment.round > 0 and not ended_by_hand(campaign, experiment))
    )


def ended_by_hand(campaign: Campaign, experiment: Experiment) -> bool:
    """Whether a human closed its pull request, deleted its branch or pushed onto it: that holds until it is merged."""
    return any(
        source.startswith(BY_HAND) and given.experiment == experiment.number
        for source, given in campaign.said.items()
    )


def refusal(campaign: Campaign, experiment: Experiment) -> ExperimentDecided:
    """Return the verdict on an experiment that a human rejected."""
    said = campaign.refused[experiment.number]
    reason = f"a human rejected it: {said}" if said else "a human rejected it"
    if ended_by_hand(campaign, experiment):
        reason = said
    return decision_of(experiment, "rejected", reason=reason, lesson=f"{experiment.title}: {reason}.")


# The comprehension budget: merges that no human has read yet, and what waits until one has. Pure.
#
# A merge is read once a human has said so on its pull request (by a review or `approve`), or has merged the promotion
# that carries it. What was taken out again, or was merged because a human asked to take something out, owes nothing.


def unread(campaign: Campaign) -> list[Experiment]:
    """Return the merged experiments that no human has read, in the order in which they landed."""
    landed = campaign.landed()
    gone = {e.reverts for e in landed if e.reverts is not None}
    return [e for e in landed if e.reverts is None and e.number not in gone and e.number not in campaign.read]


def is_spent(campaign: Campaign, limit: int | None) -> bool:
    """Whether `limit` merges are unread; None never is."""
    return limit is not None and len(unread(campaign)) >= limit


def waits(campaign: Campaign, experiment: Experiment, limit: int | None) -> bool:
    """Whether a confirmed improvement has to wait until a human has read some of what was merged before, or has looked
    at it because its review says so.

    One that a human has approved meanwhile does not, nor one that takes another out, nor one that a human has
    rejected: that ends it. One that has begun to land goes on.
    """
    decision = experiment.decision
    if decision is None or not decision.land or experiment.finished_at is not None:
        return False
    free = experiment.reverts is not None or experiment.number in campaign.read | campaign.refused.keys()
    begun = experiment.landed is not None or experiment.landing == experiment.round
    return not free and not begun and (needs_a_look(campaign, experiment) or is_spent(campaign, limit))


def needs_a_look(campaign: Campaign, experiment: Experiment) -> bool:
    """Whether rules say that a human must look at an experiment before it is merged, and none has said so yet."""
    marked = experiment.review is not None and bool(experiment.review.looks)
    return marked and experiment.number not in campaign.read


def is_laid_by(campaign: Campaign, experiment: Experiment, limit: int | None) -> bool:
    """Whether it waits and everybody was told, so that nothing is to be done for it now."""
    return experiment.is_held and waits(campaign, experiment, limit)


def in_hand(campaign: Campaign, limit: int | None) -> list[Experiment]:
    """Return the open experiments without those that only wait for a reader."""
    return [e for e in campaign.open_experiments() if not is_laid_by(campaign, e, limit)]
