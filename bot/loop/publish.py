"""The pull request of an experiment: its branch, its text, its statuses and its report."""

from __future__ import annotations

from bot.loop.commits import ensure_commit
from bot.loop.context import Context
from bot.loop.humans import heed_pull
from bot.loop.settings import rule_of
from bot.pulls.body import pull_body, pull_title
from bot.pulls.report import report_of
from bot.pulls.status import Stated, score_status, train_status
from bot.rules.campaign import Campaign
from bot.rules.events import PullOpened
from bot.rules.experiment import Experiment


def publish(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Push the branch and open its pull request, or bring both up to a new round."""
    assert experiment.candidate is not None and experiment.proposal is not None
    branch = context.experiment_branch(experiment.number)
    ensure_commit(context, experiment)
    body = body_of(context, campaign, experiment)
    if experiment.pull is not None:
        foreign = context.forge.replace_branch(branch, experiment.candidate.commit, ours=experiment.commits)
        pull = context.forge.edit_pull(experiment.pull.pull, title=pull_title(experiment), body=body)
        if foreign is not None or pull.state == "closed":
            heed_pull(context, experiment, pull)
        return
    context.forge.replace_branch(branch, experiment.candidate.commit)
    pull = context.forge.open_pull(
        head=branch, base=context.branch, title=pull_title(experiment), body=body,
        is_new=experiment.claimed_by == context.holder,  # nobody else has had it in hand
    )  # fmt: skip
    event = PullOpened(experiment.number, pull.number, branch, pull.url)
    # Who reviews by rule does so at once, and can do it again.
    context.ledger.append(lambda _: [event], later=context.reviewer is None)


def state_verdict(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Say the verdict on the commit under test: statuses and report.

    A campaign's branch may be protected and require them, so they stand before the commit lands there.
    """
    decision = experiment.decision
    assert experiment.candidate is not None and decision is not None
    sha = experiment.candidate.commit
    trained = bool(campaign.runs_of(sha)) and not experiment.drawn
    if (
        decision.verdict != "rejected"
        or trained
        or (experiment.review is not None and experiment.review.approved)
    ):
        state(context, sha, "train", train_status(campaign, experiment, decision))
        state(context, sha, "score", score_status(campaign, decision))
    report = report_of(campaign, experiment, rule_of(context.config))
    context.forge.put_report(sha, report, is_new=experiment.decided_by == context.holder)


def body_of(context: Context, campaign: Campaign, experiment: Experiment) -> str:
    assert experiment.candidate is not None
    diff = context.git.diff(experiment.candidate.parent, experiment.candidate.commit)
    return pull_body(campaign, experiment, diff, rule=rule_of(context.config), on_github=on_github(context))


def state(context: Context, sha: str, what: str, stated: Stated) -> None:
    state, description = stated
    context.forge.set_status(sha=sha, context=f"nocturne/{what}", state=state, description=description)


def on_github(context: Context) -> bool:
    """Whether commands can be given by comment; elsewhere they are given on the command line."""
    return context.remote.kind == "github"
