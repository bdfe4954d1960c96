"""The last stage: the tested commit lands, waits for a reader, or its pull request is closed."""

from __future__ import annotations

from datetime import timedelta

from bot.errors import NotAllowed
from bot.forge.labels import LABEL_ALL, LABELS
from bot.ledger import now, stamp
from bot.loop.asking import ask_for_look, ask_for_reader
from bot.loop.commits import ensure_commit
from bot.loop.context import Context, Done
from bot.loop.gestures import (
    closed_too_late,
    hear_reviews,
    heed,
    labels_by_hand,
    look_around,
    take_up_pushed,
    texts_by_hand,
)
from bot.loop.ideas import tell_outcome
from bot.loop.pulls import comment, on_github, report_on, state_all, state_verdict
from bot.loop.settings import limits
from bot.rules.campaign import Campaign
from bot.rules.events import (
    ExperimentFinished,
    ExperimentLanded,
    LandingBegun,
    LandingHeld,
    LeaseTaken,
    PullOpened,
    Verdict,
)
from bot.rules.experiment import Experiment
from bot.rules.human import needs_a_look, refusal, unread, waits
from bot.tell.document import Document, paragraph
from bot.tell.numbers import count
from bot.tell.views.experiment import pull_title
from bot.tell.views.gesture import kept_words
from bot.tell.views.status import closing_comment, held_comment
from bot.tell.writers import markdown


def land(context: Context, campaign: Campaign, experiment: Experiment) -> Done:
    """Move the campaign's branch to exactly the commit that was tested, by fast-forward.

    That it is about to is written down first, unless a human has rejected the experiment meanwhile, or another one
    has landed that must be read before: of the words on the ledger the first one counts.
    """
    assert experiment.candidate is not None
    candidate, number = experiment.candidate, experiment.number
    ensure_commit(context, experiment)
    if not experiment.is_held:  # else it was said when it began to wait
        state_verdict(context, campaign, experiment)
    if heed(context, experiment):
        return Done()
    limit = limits(context.config).unread

    def make(fresh: Campaign) -> list[LandingBegun]:
        known = fresh.experiments[number]
        stays = known.round != candidate.round or waits(fresh, known, limit) or number in fresh.refused
        return [] if stays else [LandingBegun(number, candidate.round)]

    if context.ledger.append(make).experiments[number].landing != candidate.round:
        return Done()
    try:
        came = context.forge.land(context.branch, candidate.commit, candidate.parent)
    except NotAllowed:
        if not context.forge.shows:
            raise
        state_all(context, campaign, experiment)  # a protected branch may require them
        came = context.forge.land(context.branch, candidate.commit, candidate.parent)
    if came == "moved":
        return Done()  # the next step sees whose commit stands there, and measures again
    return Done([landed(experiment)])


def landed(experiment: Experiment) -> ExperimentLanded:
    """Return the event that an experiment's commit is the branch's head now."""
    assert experiment.candidate is not None
    return ExperimentLanded(experiment.number, experiment.candidate.commit, experiment.candidate.parent)


def hold(context: Context, campaign: Campaign, experiment: Experiment) -> Done:
    """Let a confirmed improvement wait for a reader, of itself or of earlier merges, and say so where people look.

    Whether one has read some meanwhile is looked for first. Its lease is given back: whoever finds the debt paid
    goes on with it.
    """
    limit = limits(context.config).unread
    campaign = hear_reviews(context, campaign)
    if not waits(campaign, experiment, limit):
        return Done()
    debt = len(unread(campaign))
    ensure_commit(context, experiment)
    state_verdict(context, campaign, experiment)
    comment(context, experiment, held_comment(campaign, experiment, debt, on_github=on_github(context)))
    subject = f"experiment:{experiment.number}"
    over = stamp(now() - timedelta(seconds=1))
    turn = campaign.lease_turns.get(subject, 0) + 1
    return Done(
        [
            LandingHeld(experiment.number, experiment.round, debt, limit or 0),
            LeaseTaken(subject, turn, context.holder, over),
        ]
    )


def tell_of_held(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Say that an experiment waits for a reader, and ask for one."""
    if needs_a_look(campaign, experiment):
        context.display.note(
            f"experiment {experiment.number} is confirmed, and held: a human must look at it first; `nocturne show"
            f" {experiment.number}` says at what, `nocturne approve {experiment.number}` merges it"
        )
        ask_for_look(context, campaign, experiment)
        return
    context.display.note(
        f"experiment {experiment.number} is confirmed, and held: {count(len(unread(campaign)), 'merge')} unread;"
        " `nocturne status` says what to read"
    )
    ask_for_reader(context, campaign)


def close(context: Context, campaign: Campaign, experiment: Experiment) -> Done:
    """Say the verdict where people look for it, close what did not land, and end the experiment."""
    decision = experiment.decision
    assert decision is not None
    if experiment.candidate is not None and experiment.pull is not None:
        ensure_commit(context, experiment)
        if experiment.landing != experiment.round:  # else it was said before it landed
            state_verdict(context, campaign, experiment)
        _close_pull(context, campaign, experiment, experiment.pull, decision.verdict)
    tell_outcome(context, campaign, experiment)
    return Done([ExperimentFinished(experiment.number)])


def _close_pull(
    context: Context, campaign: Campaign, experiment: Experiment, opened: PullOpened, verdict: Verdict
) -> None:
    if experiment.landed is None:  # else it was looked at just before it landed
        look_around(context, campaign, experiment)
    labels, edited = labels_by_hand(context, experiment), texts_by_hand(context, experiment)
    report = report_on(context, campaign, experiment)
    state = context.forge.edit_pull(
        opened.pull,
        title=None if edited else pull_title(experiment),
        body=None if "body" in edited else markdown.write(report),
        labels=(LABEL_ALL, LABELS[verdict]),
        close=experiment.landed is None,
    )
    foreign = context.forge.delete_branch(opened.branch, ours=experiment.commits)
    said: Document = tuple(kept_words(labels, report if "body" in edited else ()))
    if experiment.landed is not None and state == "closed":
        said += closed_too_late(context, experiment)
    if foreign is not None:
        kept = take_up_pushed(context, experiment, foreign)
        context.display.note(f"experiment {experiment.number}: {kept}")
        said += (paragraph("{}.", f"{kept[0].upper()}{kept[1:]}"),)
    if said or experiment.comment is not None or experiment.held:  # else the text says it all
        comment(
            context, experiment, (*closing_comment(campaign, experiment, on_github=on_github(context)), *said)
        )


def refuse(context: Context, campaign: Campaign, experiment: Experiment) -> Done:
    """Say the human's verdict, unless the experiment has begun to land meanwhile."""
    return Done([refusal(campaign, experiment)])
