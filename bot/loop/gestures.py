"""What humans do to pull requests by hand, which are words: looked at before an experiment trains, lands or closes."""

from __future__ import annotations

from bot.base.text import one_line
from bot.errors import UserError
from bot.forge import Deed, DeedKind, NotFound, PullState
from bot.forge.labels import LABELS, is_our_label
from bot.loop.context import Context
from bot.loop.ideas import tell_of_idea
from bot.loop.pushed import take_up
from bot.rules.campaign import Campaign
from bot.rules.commands import CALL, ExperimentCommand, Gesture, meant_by
from bot.rules.events import CommandGiven, ExperimentRead
from bot.rules.experiment import Experiment
from bot.rules.human import BY_HAND, objection, unread
from bot.tell.document import Document, paragraph
from bot.tell.views.gesture import no_longer, reopened, too_late, tried_again
from bot.tell.writers import markdown

LOOK_EVERY = 3  # experiments, while something is held: a look is a request or two
REOPENED = "reopened:"  # how the source of a retry begins that was a pull request's reopening
_AGAIN = "again"  # the key of the comment on a pull request that was reopened


def heed(context: Context, experiment: Experiment) -> bool:
    """Look what became of the experiment's pull request; True if a human ended it, which is then written down."""
    if experiment.pull is None:
        return False
    try:
        head = experiment.commits[-1]
        state = context.forge.pull_state(experiment.pull.pull, head=head, base=context.branch)
    except NotFound:  # a private copy of the ledger has no pull requests
        return False
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
        known = campaign.experiments[experiment.number]
        over = known.decision is not None and not known.decision.land
        if known.landed is not None or known.finished_at is not None or over:
            return []
        return [CommandGiven(campaign.commands + 1, command, experiment.number, source, why)]

    context.ledger.append(make)


def _seen(context: Context, experiment: Experiment, state: PullState) -> tuple[Gesture, str] | None:
    """Return what a human did to the pull request, and words that say it; None if nobody did anything."""
    assert experiment.pull is not None
    if state == "merged":
        return None  # its commit is in the campaign's branch: that is met where the branch is looked at
    branch = experiment.pull.branch
    head = context.forge.branch_head(branch)
    kept = take_up_pushed(context, experiment, head) if head is not None else ""
    if head is None:
        return "delete_branch", f"its branch {branch} was deleted"
    if state == "closed":
        closer = _last(context, experiment.pull.pull, "closed")
        name = one_line(closer.who if closer is not None else "", 60) or "a human"
        if closer is None or closer.may:
            return "close", f"closed by {name}{kept and '; '}{kept}"
        if context.forge.reopen_pull(experiment.pull.pull):
            context.display.note(
                f"pull request {experiment.pull.pull} is open again: {name}, who closed it, has no permission to write"
            )
    if kept:
        return "push", kept
    if LABELS["rejected"] in labels_by_hand(context, experiment):
        giver = _last(context, experiment.pull.pull, "labeled", LABELS["rejected"])
        if giver is not None and giver.may:
            return "label", f"{one_line(giver.who, 60) or 'a human'} put the label {LABELS['rejected']} on it"
    return None


def _last(context: Context, pull: int, what: DeedKind, label: str = "") -> Deed | None:
    """Return the newest deed of a kind, None if there is none or the forge knows of none."""
    done = context.forge.deeds(pull)
    return next((deed for deed in reversed(done) if (deed.what, deed.label) == (what, label)), None)


def take_up_pushed(context: Context, experiment: Experiment, head: str) -> str:
    """If an experiment's branch stands at a commit that is not ours, take that up, and return words that say it."""
    if head in experiment.commits:
        return ""
    assert experiment.pull is not None
    idea = take_up(context, experiment, head)
    try:
        tell_of_idea(context, idea)
    except (UserError, NotFound) as error:
        context.display.note(f"pull request {experiment.pull.pull} was not told of its commit: {error}")
    return (
        f"a commit that is not Nocturne's, {head[:12]}, was pushed onto {experiment.pull.branch}, which is kept: it is"
        f" idea {idea.given.number}, and is tried as an experiment of its own"
    )


def labels_by_hand(context: Context, experiment: Experiment) -> list[str]:
    """Return the labels of ours that people put on an open pull request, as it was last looked at: it gets its own
    when it ends."""
    pull = context.forge.by_hand(experiment.pull.pull) if experiment.pull is not None else None
    if pull is None or pull.state != "open":
        return []
    return [name for name in pull.labels if is_our_label(name)]


def texts_by_hand(context: Context, experiment: Experiment) -> frozenset[str]:
    """Return which texts of a pull request people have changed, as it was last looked at: "title", "body"."""
    pull = context.forge.by_hand(experiment.pull.pull) if experiment.pull is not None else None
    return pull.edited if pull is not None else frozenset()


def look_around(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Look at the open pull requests, in one request: what stands on the experiment's own, and which were opened again.

    If its own is closed already, by a human, it is looked at by itself.
    """
    there = context.forge.open_pulls(context.branch)
    if context.forge.shows and experiment.pull is not None and experiment.pull.pull not in there:
        context.forge.pull_state(experiment.pull.pull, head=experiment.commits[-1], base=context.branch)
    ours = {e.pull.pull for e in campaign.open_experiments() if e.pull is not None}
    others = there.keys() - ours
    if not others:
        return
    for other in campaign.finished():
        if other.pull is not None and other.pull.pull in others:
            hear_reopened(context, campaign, other)


def hear_reopened(context: Context, campaign: Campaign, experiment: Experiment) -> bool:
    """Hear of a finished experiment's pull request that is open again: it is tried again, or what was pushed onto it
    is. True if that was news."""
    assert experiment.pull is not None
    opener = _last(context, experiment.pull.pull, "reopened")
    if opener is None:
        return False
    if not opener.may:
        context.forge.edit_pull(experiment.pull.pull, close=True)
        return False
    source, number = f"{REOPENED}{opener.id}", experiment.number
    if source in campaign.said:
        return False
    head = context.forge.branch_head(experiment.pull.branch)
    pushed = take_up_pushed(context, experiment, head) if head is not None else ""
    meant = meant_by("reopen")
    why = pushed or objection(campaign, meant, number, call=CALL)
    if why is None:
        command = CommandGiven(campaign.commands + 1, meant, number, source)
        campaign = context.ledger.append(
            lambda fresh: [command] if objection(fresh, meant, number, call=CALL) is None else []
        )
        _say(context, experiment, reopened(opener.who), close=False)
        return source in campaign.said
    _say(context, experiment, (paragraph("{}.", f"{why[0].upper()}{why[1:]}"),), close=True)
    return True


def closed_too_late(context: Context, experiment: Experiment) -> Document:
    """Have a merge taken out again whose pull request a human closed at the moment at which it landed, and say so."""
    assert experiment.pull is not None
    closer, number = _last(context, experiment.pull.pull, "closed"), experiment.number
    if closer is None or not closer.may:
        return ()
    source = f"{BY_HAND}{experiment.pull.branch}:late"
    context.ledger.append(
        lambda fresh: (
            [CommandGiven(fresh.commands + 1, "revert", number, source)]
            if objection(fresh, "revert", number, call=CALL) is None
            else []
        )
    )
    context.display.note(f"experiment {number} is taken out again: {closer.who} closed it as it was merged")
    return too_late(closer.who)


def link_back(
    context: Context, campaign: Campaign, experiment: Experiment, url: str = "", why_not: str = ""
) -> None:
    """Close the reopened pull request of the experiment that this one tries again, with a link to this one's, or with
    the reason why there is none."""
    earlier = campaign.experiments.get(experiment.retries or 0)
    if earlier is None or earlier.pull is None:
        return
    heard = (given for source, given in campaign.said.items() if source.startswith(REOPENED))
    if any(given.experiment == earlier.number for given in heard):
        said = no_longer(why_not) if why_not else tried_again(experiment.number, url)
        _say(context, earlier, said, close=True)
        context.forge.delete_branch(earlier.pull.branch, ours=earlier.commits)


def _say(context: Context, experiment: Experiment, said: Document, *, close: bool) -> None:
    """Answer on a pull request that was reopened, and close it again if that is the end of it."""
    assert experiment.pull is not None
    context.forge.upsert_comment(experiment.pull.pull, _AGAIN, markdown.write(said))
    if close:
        context.forge.edit_pull(experiment.pull.pull, close=True)


def hear_at_intervals(context: Context, campaign: Campaign) -> None:
    """Hear of reviews now and then while something is held: for the beginning of an experiment."""
    held = any(e.is_held for e in campaign.open_experiments())
    if held and len(campaign.order) % LOOK_EVERY == 0:
        hear_reviews(context, campaign)


def hear_reviews(context: Context, campaign: Campaign, *, all: bool = False) -> Campaign:
    """Write down which unread merges somebody has reviewed or liked on GitHub; return the campaign as it is then.

    What can't be looked up is looked up another time: `approve` is heard without. At the end of a loop, `all` are.
    """
    for held in [e for e in campaign.open_experiments() if e.is_held and e.number not in campaign.refused]:
        if heed(context, held):
            campaign = context.ledger.known()
    merged = {e.pull.pull: e for e in unread(campaign) if e.pull is not None and e.finished_at is not None}
    if not merged:
        return campaign
    try:
        found = context.forge.reviewed({pull: e.finished_at or "" for pull, e in merged.items()}, all=all)
    except (UserError, NotFound) as error:
        context.display.note(f"reviews of merged experiments can't be looked up: {error}")
        return campaign
    if not found:
        return campaign
    seen = [ExperimentRead(merged[pull].number, source) for pull, source in found.items()]
    return context.ledger.append(lambda _: seen)
