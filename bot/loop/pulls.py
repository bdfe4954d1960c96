"""An experiment's pull request: its branch, text, statuses and report, and what humans do with it."""

from __future__ import annotations

from bot.loop.commits import ensure_commit
from bot.loop.context import Context, Done
from bot.loop.gestures import heed, link_back, texts_by_hand
from bot.loop.settings import rule_of
from bot.rules.campaign import Campaign
from bot.rules.events import PullOpened
from bot.rules.experiment import Experiment
from bot.tell.document import Document
from bot.tell.views.campaign import report_of
from bot.tell.views.experiment import pull_body, pull_title
from bot.tell.views.status import COMMENT, Stated, verdict_statuses
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
    """Say the verdict on the commit under test, if people read it there: statuses and report.

    A campaign's branch may be protected and require them, so they stand before the commit lands there.
    """
    if not context.forge.shows:
        return
    assert experiment.candidate is not None
    sha = experiment.candidate.commit
    for what, stated in verdict_statuses(campaign, experiment).items():
        state(context, sha, what, stated)
    report = report_of(campaign, experiment, rule_of(context.config, campaign))
    context.forge.put_report(sha, report, is_new=experiment.decided_by == context.holder)


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


def state(context: Context, sha: str, what: str, stated: Stated) -> None:
    state, description = stated
    context.forge.set_status(sha=sha, context=f"nocturne/{what}", state=state, description=description)


def comment(context: Context, experiment: Experiment, document: Document) -> int | None:
    """Let the one comment on the pull request say this, if people read it there; return its number if it has one."""
    if experiment.pull is None or not context.forge.shows:
        return None
    said = markdown.write(document)
    return context.forge.upsert_comment(experiment.pull.pull, COMMENT, said, at=experiment.comment)


def on_github(context: Context) -> bool:
    """Whether commands can be given by comment; elsewhere they are given on the command line."""
    return context.remote.kind == "github"
