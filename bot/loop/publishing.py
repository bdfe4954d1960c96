"""The stages that people see: the pull request, its review, and the last word on it."""

from __future__ import annotations

from dataclasses import replace

from bot import words
from bot.agents.protocol import Opinion
from bot.agents.review import fingerprint, review
from bot.errors import UserError
from bot.loop import packages
from bot.loop.auditing import draw
from bot.loop.by_hand import heed_pull, pushed_words
from bot.loop.context import Context
from bot.loop.files import editable_files
from bot.loop.ideas import tell_outcome, tries_of_its_idea
from bot.loop.proposing import ensure_commit
from bot.loop.repeated import tried_here
from bot.loop.reviewing import ask_reviewer, reviewed_event
from bot.loop.scope import objections
from bot.pulls.body import pull_body, pull_title
from bot.pulls.report import report_of
from bot.pulls.review import review_of
from bot.pulls.status import (
    COMMENT,
    Stated,
    begun_comment,
    closing_comment,
    review_status,
    scope_status,
    score_status,
    train_status,
)
from bot.rules.campaign import Campaign, Experiment
from bot.rules.events import (
    Event,
    ExperimentDecided,
    ExperimentFinished,
    PullOpened,
    Reviewed,
)
from bot.rules.outcome import decision_of
from bot.rules.wishes import PackageWished


def publish(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Push the branch and open its pull request, or bring both up to a new round."""
    assert experiment.candidate is not None and experiment.proposal is not None
    branch = context.experiment_branch(experiment.number)
    ensure_commit(context, experiment)
    body = _body(context, campaign, experiment)
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
    context.ledger.append(lambda c: [event] if c.experiments[experiment.number].pull is None else [])


def check(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Scope and review by rule, before a second of training, and say so on the pull request."""
    assert experiment.candidate is not None and experiment.pull is not None
    candidate = experiment.candidate
    if candidate.round > 1:
        publish(context, campaign, experiment)
        if experiment.number in context.ledger.known().refused:
            return
    ensure_commit(context, experiment)
    named = experiment.proposal.paths if experiment.proposal else ()
    outside = objections(context, campaign, candidate.commit, parent=candidate.parent, named=named)
    # What is out of scope is not read: a review of it would say nothing, and must not be found "tried" later.
    reasons, known_by, wished = (outside, "", []) if outside else _review(context, campaign, experiment)
    opinion = None if reasons else ask_reviewer(context, campaign, experiment)
    reviewed = reviewed_event(experiment, reasons, known_by, opinion)
    _state(context, candidate.commit, "scope", scope_status(outside))
    _state(context, candidate.commit, "review", review_status(reviewed, opinion))
    if reviewed.approved:  # what is refused is closed at once, and the comment says it then
        comment = begun_comment(experiment, context.rule(), reviewed, opinion, on_github=_on_github(context))
        at = context.forge.upsert_comment(experiment.pull.pull, COMMENT, comment, at=experiment.comment)
        reviewed = replace(reviewed, comment=at)
    if opinion is not None:
        _remark(context, experiment, reviewed, opinion)
    events: list[Event] = [*wished, reviewed]
    if not reviewed.approved and not reviewed.revise:
        said = "; ".join(reviewed.reasons)
        lesson = f"{experiment.title}: refused before training ({said})."
        events += [decision_of(experiment, "rejected", reason=said, lesson=lesson), *draw(context, reviewed)]
    context.ledger.append(lambda c: events if c.experiments[experiment.number].review is None else [])


def _remark(context: Context, experiment: Experiment, reviewed: Reviewed, opinion: Opinion) -> None:
    """Put the checker's remarks on the lines that they are about, where there are any."""
    assert experiment.candidate is not None and experiment.pull is not None
    candidate = experiment.candidate
    diff = context.git.diff(candidate.parent, candidate.commit)
    made = review_of(reviewed, opinion.answer, opinion.reason, diff)
    if made is not None:
        review, instead = made
        context.forge.review_pull(experiment.pull.pull, candidate.commit, review, instead=instead)


def _review(
    context: Context, campaign: Campaign, experiment: Experiment
) -> tuple[tuple[str, ...], str, list[PackageWished]]:
    """Return what the rule-based review objects to, the fingerprint of what it read, and what is wished for."""
    candidate = experiment.candidate
    assert candidate is not None
    base = editable_files(context, candidate.parent)
    try:
        proposed = editable_files(context, candidate.commit)
    except UserError as error:
        return (str(error),), "", []  # the candidate's fault: it must not stop the loop
    tried = {
        e.review.fingerprint: e.number
        for e in campaign.experiments.values()
        if e.review is not None and e.number != experiment.number
    }
    if experiment.asked_for or experiment.carried_over:
        tried = {}
    for other in tries_of_its_idea(campaign, experiment):
        tried = {known: number for known, number in tried.items() if number != other}
    outcome = review(editable=context.config.editable, base=base, proposed=proposed, tried=tried)
    wished = {} if experiment.asked_for else packages.wished_of(context, experiment, base, proposed)
    reasons = (*outcome.reasons, *packages.objections(wished)) or tried_here(campaign, experiment)
    return reasons, fingerprint(proposed), packages.wishes(experiment, wished)


def close(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Say the verdict where people look for it, close what did not land, and end the experiment."""
    decision = experiment.decision
    assert decision is not None
    if experiment.candidate is not None and experiment.pull is not None:
        _say_verdict(context, campaign, experiment, decision)
    tell_outcome(context, campaign, experiment)
    context.ledger.append(
        lambda c: (
            [ExperimentFinished(experiment.number)]
            if c.experiments[experiment.number].finished_at is None
            else []
        )
    )


def _say_verdict(
    context: Context, campaign: Campaign, experiment: Experiment, decision: ExperimentDecided
) -> None:
    assert experiment.pull is not None
    ensure_commit(context, experiment)
    if experiment.landing != experiment.round:  # else it was said before it landed
        state_verdict(context, campaign, experiment)
    pull = experiment.pull.pull
    context.forge.edit_pull(
        pull,
        body=_body(context, campaign, experiment),
        labels=(words.LABEL_ALL, words.LABELS[decision.verdict]),
        close=experiment.landed is None,
    )
    foreign = context.forge.delete_branch(experiment.pull.branch, ours=experiment.commits)
    comment = closing_comment(campaign, experiment, on_github=_on_github(context))
    if foreign is not None:
        kept = pushed_words(experiment.pull.branch, foreign)
        context.display.note(f"experiment {experiment.number}: {kept}")
        comment = f"{comment.rstrip()}\n\n{kept[0].upper()}{kept[1:]}.\n"
    context.forge.upsert_comment(pull, COMMENT, comment, at=experiment.comment)


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
        _state(context, sha, "train", train_status(campaign, experiment, decision))
        _state(context, sha, "score", score_status(campaign, decision))
    report = report_of(campaign, experiment, context.rule())
    context.forge.put_report(sha, report, is_new=experiment.decided_by == context.holder)


def _body(context: Context, campaign: Campaign, experiment: Experiment) -> str:
    assert experiment.candidate is not None
    diff = context.git.diff(experiment.candidate.parent, experiment.candidate.commit)
    return pull_body(campaign, experiment, diff, rule=context.rule(), on_github=_on_github(context))


def _state(context: Context, sha: str, what: str, stated: Stated) -> None:
    state, description = stated
    context.forge.set_status(sha=sha, context=f"nocturne/{what}", state=state, description=description)


def _on_github(context: Context) -> bool:
    """Whether commands can be given by comment; elsewhere they are given on the command line."""
    return context.remote.kind == "github"
