"""An experiment's pull request: its branch, text, statuses and report, and what humans do with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.forge import Report
from bot.loop.commits import ensure_commit
from bot.loop.context import Context, Done
from bot.loop.gestures import heed, link_back, texts_by_hand
from bot.loop.settings import rule_of
from bot.rules.campaign import Campaign
from bot.rules.events import PullOpened
from bot.rules.experiment import Experiment
from bot.tell.document import Document
from bot.tell.views.check import report_of, superseded_report
from bot.tell.views.experiment import pull_body, pull_title
from bot.tell.views.runs import trained_at
from bot.tell.views.status import COMMENT, verdict_statuses
from bot.tell.writers import markdown


def publish(context: Context, campaign: Campaign, experiment: Experiment) -> Done:
    """Push the branch and open its pull request."""
    assert experiment.candidate is not None
    branch = context.experiment_branch(experiment.number)
    ensure_commit(context, experiment)
    context.forge.replace_branch(branch, experiment.candidate.commit)
    pull = context.forge.open_pull(
        head=branch, base=context.branch, title=pull_title(experiment),
        body=body_of(context, campaign, experiment), number=experiment.number,
        is_new=experiment.claimed_by == context.holder,  # nobody else has had it in hand
    )  # fmt: skip
    link_back(context, campaign, experiment, pull.url)
    return Done([PullOpened(experiment.number, pull.number, branch, pull.url)])


def renew(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Bring branch and pull request up to a new round, unless a human ended it meanwhile."""
    assert experiment.candidate is not None and experiment.pull is not None
    if heed(context, experiment):
        return
    ensure_commit(context, experiment)
    branch, commit = experiment.pull.branch, experiment.candidate.commit
    if context.forge.replace_branch(branch, commit, ours=experiment.commits) is not None:
        heed(context, experiment)
        return
    edited = texts_by_hand(context, experiment)
    title = None if "title" in edited else pull_title(experiment)
    body = None if "body" in edited else body_of(context, campaign, experiment)
    context.forge.edit_pull(experiment.pull.pull, title=title, body=body)


def state_verdict(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Say the verdict on the commit under test, if people read it there, in its report; else in a status.

    A campaign's branch may be protected and require it, so it stands before the commit lands there.
    """
    if not context.forge.shows:
        return
    assert experiment.candidate is not None
    review, is_new = experiment.review, experiment.decided_by == context.holder
    report = report_of(campaign, experiment, rule_of(context.config, campaign))
    said = put_report(context, experiment, report, is_new)
    if review is not None and review.comment is not None:
        # It was begun by a version whose statuses are pending since then.
        state_all(context, campaign, experiment)
    elif said is None:
        state(context, campaign, experiment, ("score",))


def put_report(context: Context, experiment: Experiment, report: Report, is_new: bool = False) -> int | None:
    """Say something in the one report on the commit under test; return its number, None if none is taken."""
    assert experiment.candidate is not None
    report = replace(report, link=report.link or context.where)
    review = experiment.review
    at = review.check if review is not None and review.round == experiment.round else None
    return context.forge.put_report(experiment.candidate.commit, report, at=at, is_new=is_new)


def supersede(context: Context, experiment: Experiment) -> None:
    """End the report on the version before, if that is still said to train."""
    earlier = [review for review in experiment.reviews if review.round < experiment.round]
    crashed = {crash.round for crash in experiment.crashes}
    if earlier and earlier[-1].check is not None and earlier[-1].round not in crashed:
        sha, report = experiment.commits[earlier[-1].round - 1], superseded_report(experiment.round)
        context.forge.put_report(sha, replace(report, link=context.where), at=earlier[-1].check)


def state_all(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Say all statuses of a verdict, which a protected branch may require beside the report."""
    state(context, campaign, experiment, ("scope", "review", "train", "score"))


def state(context: Context, campaign: Campaign, experiment: Experiment, names: Sequence[str]) -> None:
    """Say those statuses of a verdict that are named, as far as there are any."""
    assert experiment.candidate is not None
    link = trained_at(campaign, experiment) or context.where
    for what, (stated, description) in verdict_statuses(campaign, experiment).items():
        if what in names:
            context.forge.set_status(
                sha=experiment.candidate.commit, context=f"nocturne/{what}", state=stated, description=description,
                link=link,
            )  # fmt: skip


def body_of(context: Context, campaign: Campaign, experiment: Experiment) -> str:
    """Return the text of the experiment's pull request; nothing if nobody reads it there."""
    return markdown.write(report_on(context, campaign, experiment))


def report_on(context: Context, campaign: Campaign, experiment: Experiment) -> Document:
    """Return what the text of the experiment's pull request says; nothing if nobody reads it there."""
    assert experiment.candidate is not None
    if not context.forge.shows:
        return ()
    diff = context.git.diff(experiment.candidate.parent, experiment.candidate.commit)
    rule = rule_of(context.config, campaign)
    return pull_body(campaign, experiment, diff, rule=rule, on_github=on_github(context))


def comment(context: Context, experiment: Experiment, document: Document) -> int | None:
    """Let the one comment on the pull request say this, if people read it there; return its number if it has one."""
    if experiment.pull is None or not context.forge.shows:
        return None
    said = markdown.write(document)
    return context.forge.upsert_comment(experiment.pull.pull, COMMENT, said, at=experiment.comment)


def on_github(context: Context) -> bool:
    """Whether commands can be given by comment; elsewhere they are given on the command line."""
    return context.remote.kind == "github"
