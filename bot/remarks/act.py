"""Does what a comment asks, on the ledger, and says what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from bot.actions.caller import WORKFLOW_PATH
from bot.actions.chain import Link, run_title, start_next
from bot.errors import UserError
from bot.forge.github_client import GitHubClient
from bot.git import RemoteUnreachable
from bot.loop.context import Context
from bot.loop.promoting import promote
from bot.loop.render import figures_of
from bot.loop.settings import rule_of
from bot.pulls.safe import prose
from bot.remarks.event import COMMENT, Remark
from bot.remarks.explain import explanation
from bot.remarks.ideas import idea_said
from bot.remarks.parse import CALL, Puzzle, Wish, parse, table
from bot.remarks.standing import standing
from bot.rules.campaign import Campaign
from bot.rules.events import CommandGiven, ExperimentCommand, GivenCommand
from bot.rules.human import objection
from bot.text import web_address

_LOOP = ("pause", "resume", "stop")  # of these the last one counts
_SAID = {
    "pause": f"**Paused.** Loops end after the stage in hand; `{CALL} resume` lets them go on.",
    "stop": f"**Stopped.** Loops end after the experiment in hand; `{CALL} resume` lets them go on.",
    "resume": "**Resumed.** Streaks count anew.",
}


@dataclass(frozen=True)
class Answer:
    """What is written below a comment, as Markdown; `done` is False where nothing could be done."""

    text: str
    done: bool = True


def act(contexts: Sequence[Context], client: GitHubClient, remark: Remark) -> Answer:
    """Do what `remark` asks in the campaigns that it is about: that of its pull request, else all of `contexts`.

    Doing it again for the same comment changes nothing. Raises `UserError` where ledger or GitHub fail.
    """
    wish = parse(remark.body)
    if wish is None or isinstance(wish, Puzzle):
        return Answer("" if wish is None else wish.why, done=False)
    if wish.name == "help":
        return Answer(table())
    at_work = [(context, context.ledger.refresh()) for context in contexts]
    here = None
    for context, campaign in at_work:
        number = _experiment_here(campaign, remark)
        if number is not None:
            at_work, here = [(context, campaign)], number
        if remark.on_pull and campaign.promotion is not None and campaign.promotion.pull == remark.issue:
            at_work = [(context, campaign)]
            if wish == Wish("approve"):
                return _promote(context, merge=True)
    if wish.name in ("revert", "retry", "approve", "reject", "explain"):
        return _on_experiment(at_work, wish, remark, here)
    parts = [_on_campaign(context, campaign, client, wish, remark) for context, campaign in at_work]
    if len(parts) > 1 and wish.name != "status":
        named = zip(at_work, parts, strict=True)
        parts = [Answer(f"{prose(context.name, 80)}: {part.text}", part.done) for (context, _), part in named]
    return Answer("\n\n".join(part.text for part in parts), all(part.done for part in parts))


def _experiment_here(campaign: Campaign, remark: Remark) -> int | None:
    """Return the experiment whose pull request the comment is on."""
    if not remark.on_pull:
        return None
    return next(
        (
            e.number
            for e in campaign.experiments.values()
            if e.pull is not None and e.pull.pull == remark.issue
        ),
        None,
    )


def _on_experiment(
    at_work: Sequence[tuple[Context, Campaign]], wish: Wish, remark: Remark, here: int | None
) -> Answer:
    call = f"`{CALL} {wish.name}`"
    if here is not None and wish.experiment not in (None, here):
        return Answer(f"This is the pull request of experiment {here}: here {call} is about that one.", False)
    number = wish.experiment if here is None else here
    if number is None:
        return Answer(f"{call} needs the number of an experiment here: `{CALL} {wish.name} 7`.", done=False)
    if len(at_work) > 1:
        return Answer(f"There are several campaigns: say {call} on the experiment's pull request.", False)
    context, campaign = at_work[0]
    experiment = campaign.experiments.get(number)
    if experiment is None:
        return Answer(f"There is no experiment {number}.", done=False)
    match wish.name:
        case "revert" | "retry" | "approve" | "reject":
            return _ask(context, wish.name, number, remark, wish.text)
        case _:
            return Answer(explanation(campaign, experiment, rule_of(context.config)))


def _ask(context: Context, command: ExperimentCommand, number: int, remark: Remark, text: str) -> Answer:
    """Give a command that is about one experiment; where it can't be done, say why."""
    before = context.ledger.refresh()
    why = None if remark.source in before.said else objection(before, command, number, call=CALL)
    campaign = before if why is not None else _give(context, command, remark, number, text)
    if remark.source not in campaign.said:
        why = why or objection(campaign, command, number, call=CALL) or "it is no longer possible"
        return Answer(f"{why[0].upper()}{why[1:]}.", done=False)
    return Answer(_done(campaign, command, number))


def _done(campaign: Campaign, command: ExperimentCommand, number: int) -> str:
    """Say what a command has set in motion, and what lets the loop go on where that is what it needs."""
    stopped = campaign.stopped is not None or campaign.paused or campaign.stop_asked
    more = f" The loop has ended; `{CALL} resume` lets it go on." if stopped else ""
    match command:
        case "approve":
            held = any(e.is_held for e in campaign.open_experiments())
            waited = held or (campaign.stopped is not None and campaign.stopped.reason == "unreviewed")
            lands = campaign.experiments[number].is_held
            then = (
                " The loop merges it with its next step, where nothing else landed meanwhile."
                if lands
                else ""
            )
            return f"Experiment {number} counts as read by a human.{then}{more if waited else ''}"
        case "revert":
            return f"The next experiment takes experiment {number} out again.{more}"
        case "retry":
            return f"The next experiment tries experiment {number} again, on the present incumbent.{more}"
        case _:
            return (
                f"Experiment {number} is rejected: nothing of it is merged, whatever its runs say. The loop closes"
                f" its pull request with its next step.{more}"
            )


def _on_campaign(
    context: Context, campaign: Campaign, client: GitHubClient, wish: Wish, remark: Remark
) -> Answer:
    if campaign.started is None:
        return Answer("The campaign has not begun: run its workflow on the Actions page.", done=False)
    match wish.name:
        case "idea":
            return Answer(*idea_said(context, campaign, wish.text, remark))
        case "pause" | "stop" | "resume":
            campaign = _give(context, wish.name, remark)
            if remark.source not in campaign.said:
                return Answer("Nothing was done: a later comment has said otherwise.", done=False)
            more = f" {_start(context, client, remark)}" if wish.name == "resume" else ""
            return Answer(_SAID[wish.name] + more)
        case "promote":
            return _promote(context, merge=False)
        case _:
            return Answer(standing(figures_of(context, campaign)))


def _promote(context: Context, *, merge: bool) -> Answer:
    """Open the promotion or bring it up to date, and with `merge` move the base branch, by fast-forward alone."""
    try:
        done = promote(context, merge=merge)
    except RemoteUnreachable:
        raise
    except UserError as error:
        return Answer(f"It could not be done: {prose(str(error))}.", done=False)
    address = web_address(done.url)
    if done.pull is None or address is None:
        return Answer(f"{prose(done.text)}.", done=done.did != "nothing")
    return Answer(f"The promotion [{done.pull}]({address}): {done.did}.", done=done.did != "nothing")


def _give(
    context: Context, command: GivenCommand, remark: Remark, experiment: int | None = None, text: str = ""
) -> Campaign:
    """Write the command to the ledger once, as far as it still makes sense there."""

    def make(campaign: Campaign) -> list[CommandGiven]:
        match command:
            case "pause" | "resume" | "stop":
                idle = _overtaken(campaign, remark)
            case _:
                idle = experiment is None or objection(campaign, command, experiment, call=CALL) is not None
        if idle or remark.source in campaign.said:
            return []
        return [CommandGiven(campaign.commands + 1, command, experiment, remark.source, text)]

    return context.ledger.append(make)


def _overtaken(campaign: Campaign, remark: Remark) -> bool:
    """Whether a later comment was heard first: jobs run in any order, and may be run again days later."""
    later = (
        given
        for source, given in campaign.said.items()
        if source.startswith(COMMENT) and int(source.removeprefix(COMMENT)) > remark.comment
    )
    return any(given.command in _LOOP for given in later)


def _start(context: Context, client: GitHubClient, remark: Remark) -> str:
    """Start the workflow of the campaign's loop, and say whether it runs."""
    link = Link(PurePosixPath(WORKFLOW_PATH).name, remark.default_branch, run_title(context.name))
    try:
        start_next(client, link, context.name, own_run=None)
    except RemoteUnreachable:
        raise
    except UserError as error:
        return f"The workflow has to be started by hand, or starts at its next scheduled time: {prose(str(error))}."
    return "The loop goes on."
