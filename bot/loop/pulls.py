"""An experiment's pull request: its branch, text, statuses and report, and what humans do with it."""

from __future__ import annotations

from bot.base.text import one_line
from bot.errors import UserError
from bot.forge import NotFound, PullState
from bot.loop.commits import ensure_commit
from bot.loop.context import Context, Done
from bot.loop.settings import rule_of
from bot.rules.campaign import Campaign
from bot.rules.commands import ExperimentCommand, Gesture, meant_by
from bot.rules.events import CommandGiven, ExperimentRead, PullOpened
from bot.rules.experiment import Experiment
from bot.rules.human import BY_HAND, unread
from bot.tell.document import Document
from bot.tell.views.campaign import report_of
from bot.tell.views.experiment import pull_body, pull_title
from bot.tell.views.status import COMMENT, Stated, verdict_statuses
from bot.tell.writers import markdown

LOOK_EVERY = 3  # experiments, while something is held: a look is a request or two


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
    return Done([PullOpened(experiment.number, pull.number, branch, pull.url)])


def renew(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Bring branch and pull request up to a new round, and heed what a human did to them meanwhile."""
    assert experiment.candidate is not None and experiment.pull is not None
    ensure_commit(context, experiment)
    branch, commit = experiment.pull.branch, experiment.candidate.commit
    foreign = context.forge.replace_branch(branch, commit, ours=experiment.commits)
    body = body_of(context, campaign, experiment)
    state = context.forge.edit_pull(experiment.pull.pull, title=pull_title(experiment), body=body)
    if foreign is not None or state == "closed":
        _heed(context, experiment, state)


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
    assert experiment.candidate is not None
    if not context.forge.shows:
        return ""
    diff = context.git.diff(experiment.candidate.parent, experiment.candidate.commit)
    rule = rule_of(context.config, campaign)
    return markdown.write(pull_body(campaign, experiment, diff, rule=rule, on_github=on_github(context)))


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


def heed(context: Context, experiment: Experiment) -> bool:
    """Look what became of the experiment's pull request; True if a human ended it, which is then written down."""
    if experiment.pull is None:
        return False
    try:
        head = experiment.commits[-1]
        state = context.forge.pull_state(experiment.pull.pull, head=head, base=context.branch)
    except NotFound:  # a private copy of the ledger has no pull requests
        return False
    return _heed(context, experiment, state)


def _heed(context: Context, experiment: Experiment, state: PullState) -> bool:
    """As `heed`, of a pull request whose state was seen just now."""
    seen = _seen(context, experiment, state)
    if seen is None:
        return False
    gesture, why = seen
    _write_down(context, experiment, meant_by(gesture), why)
    return True


def _write_down(context: Context, experiment: Experiment, command: ExperimentCommand, why: str) -> None:
    """Write down what a human's gesture means, once for each round."""
    assert experiment.pull is not None
    source = f"{BY_HAND}{experiment.pull.branch}:{experiment.round}"
    context.display.note(f"experiment {experiment.number} ends: {why}")

    def make(campaign: Campaign) -> list[CommandGiven]:
        if campaign.experiments[experiment.number].landed is not None:
            return []
        return [CommandGiven(campaign.commands + 1, command, experiment.number, source, why)]

    context.ledger.append(make)


def pushed_words(branch: str, head: str) -> str:
    """Say that a branch is kept for a commit that is not ours."""
    return f"a commit that is not Nocturne's, {head[:12]}, was pushed onto {branch}, which is kept"


def _seen(context: Context, experiment: Experiment, state: PullState) -> tuple[Gesture, str] | None:
    """Return what a human did to the pull request, and words that say it; None if nobody did anything."""
    assert experiment.pull is not None
    if state == "merged":
        return None  # its commit is in the campaign's branch: that is met where the branch is looked at
    head = context.forge.branch_head(experiment.pull.branch)
    foreign = head is not None and head not in experiment.commits
    kept = f"; {pushed_words(experiment.pull.branch, head)}" if foreign and head is not None else ""
    if state == "closed":
        closer = one_line(context.forge.closer(experiment.pull.pull) or "a human", 60)
        return "close", f"closed by {closer}{kept}"
    if head is None:
        return "delete_branch", f"its branch {experiment.pull.branch} was deleted"
    return ("push", kept.removeprefix("; ")) if kept else None


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
    return context.ledger.append(lambda _: seen)
