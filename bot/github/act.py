"""Does what a comment asks, on the ledger, and says what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from bot.base.text import web_address
from bot.errors import UserError
from bot.forge.github_client import GitHubClient
from bot.git import RemoteUnreachable
from bot.github.chain import Link, run_title, start_next
from bot.github.event import COMMENT, Comment
from bot.github.parse import Asked, NotUnderstood, parse, table
from bot.github.workflows import WORKFLOW_PATH
from bot.loop.context import Context
from bot.loop.ideas import give_idea, idea_text, noted_words
from bot.loop.mechanisms import switch
from bot.loop.promoting import promote
from bot.loop.render import figures_of
from bot.loop.settings import rule_of
from bot.rules.audits import appeal_words
from bot.rules.campaign import Campaign
from bot.rules.commands import CALL, AboutCampaign, AboutExperiment, ExperimentCommand, GivenCommand
from bot.rules.events import CommandGiven
from bot.rules.human import objection
from bot.tell.views.campaign import standing
from bot.tell.views.experiment import explanation
from bot.tell.views.outer import outer
from bot.tell.writers import markdown

_LOOP = ("pause", "resume", "stop")  # of these the last one counts


def _said(command: Literal["pause", "resume", "stop"]) -> str:
    match command:
        case "pause":
            return f"**Paused.** Loops end after the stage in hand; `{CALL} resume` lets them go on."
        case "stop":
            return f"**Stopped.** Loops end after the experiment in hand; `{CALL} resume` lets them go on."
        case "resume":
            return "**Resumed.** Streaks count anew."


@dataclass(frozen=True)
class Answer:
    """What is written below a comment, as Markdown; `done` is False if nothing could be done."""

    text: str
    done: bool = True


def act(contexts: Sequence[Context], client: GitHubClient, comment: Comment) -> Answer:
    """Do what `comment` asks in the campaigns that it is about: that of its pull request, else all of `contexts`.

    Doing it again for the same comment changes nothing. Raises `UserError` if ledger or GitHub fail.
    """
    asked = parse(comment.body)
    if asked is None or isinstance(asked, NotUnderstood):
        return Answer("" if asked is None else asked.why, done=False)
    name = asked.name
    if name == "help":
        return Answer(table())
    at_work = [(context, context.ledger.refresh()) for context in contexts]
    here = None
    for context, campaign in at_work:
        number = _experiment_here(campaign, comment)
        if number is not None:
            at_work, here = [(context, campaign)], number
        if comment.on_pull and campaign.promotion is not None and campaign.promotion.pull == comment.issue:
            at_work = [(context, campaign)]
            if asked == Asked("approve"):
                return _promote(context, merge=True)
    match name:
        case "revert" | "retry" | "approve" | "reject" | "explain":
            return _on_experiment(at_work, name, asked, comment, here)
        case "status" | "pause" | "resume" | "stop" | "promote" | "idea" | "outer":
            parts = [_on_campaign(*each, client, name, asked.text, comment) for each in at_work]
            return _all_of([context.name for context, _ in at_work], parts, named=name != "status")


def _all_of(names: Sequence[str], parts: Sequence[Answer], *, named: bool) -> Answer:
    """Return the answers of all campaigns as one; `named` says whether each begins with its campaign's name."""
    if len(parts) > 1 and named:
        each = zip(names, parts, strict=True)
        parts = [Answer(f"{markdown.escape(name, 80)}: {part.text}", part.done) for name, part in each]
    return Answer("\n\n".join(part.text for part in parts), all(part.done for part in parts))


def _experiment_here(campaign: Campaign, comment: Comment) -> int | None:
    """Return the experiment whose pull request the comment is on."""
    if not comment.on_pull:
        return None
    return next(
        (
            e.number
            for e in campaign.experiments.values()
            if e.pull is not None and e.pull.pull == comment.issue
        ),
        None,
    )


def _on_experiment(
    at_work: Sequence[tuple[Context, Campaign]], name: AboutExperiment, asked: Asked, comment: Comment,
    here: int | None,
) -> Answer:  # fmt: skip
    call = f"`{CALL} {name}`"
    if here is not None and asked.experiment not in (None, here):
        return Answer(f"This is the pull request of experiment {here}: here {call} is about that one.", False)
    number = asked.experiment if here is None else here
    if number is None:
        return Answer(f"{call} needs the number of an experiment here: `{CALL} {name} 7`.", done=False)
    if len(at_work) > 1:
        return Answer(f"There are several campaigns: say {call} on the experiment's pull request.", False)
    context, campaign = at_work[0]
    experiment = campaign.experiments.get(number)
    if experiment is None:
        return Answer(f"There is no experiment {number}.", done=False)
    match name:
        case "revert" | "retry" | "approve" | "reject":
            return _ask(context, name, number, comment, asked.text)
        case "explain":
            return Answer(
                markdown.write(explanation(campaign, experiment, rule_of(context.config, campaign)))
            )


def _ask(context: Context, command: ExperimentCommand, number: int, comment: Comment, text: str) -> Answer:
    """Give a command that is about one experiment; where it can't be done, say why."""
    before = context.ledger.refresh()
    why = None if comment.source in before.said else objection(before, command, number, call=CALL)
    campaign = before if why is not None else _give(context, command, comment, number, text)
    if comment.source not in campaign.said:
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
                " The loop merges it with its next step, if nothing else landed meanwhile." if lands else ""
            )
            return f"Experiment {number} counts as read by a human.{then}{more if waited else ''}"
        case "revert":
            return f"The next experiment takes experiment {number} out again.{more}"
        case "retry":
            larger = appeal_words(campaign, number)
            return f"The next experiment tries experiment {number} again, on the present incumbent{larger}.{more}"
        case "reject":
            return (
                f"Experiment {number} is rejected: nothing of it is merged, whatever its runs say. The loop closes"
                f" its pull request with its next step.{more}"
            )


def _on_campaign(
    context: Context,
    campaign: Campaign,
    client: GitHubClient,
    name: AboutCampaign,
    text: str,
    comment: Comment,
) -> Answer:
    if campaign.started is None:
        return Answer("The campaign has not begun: run its workflow on the Actions page.", done=False)
    match name:
        case "idea":
            return Answer(*idea_said(context, campaign, text, comment))
        case "pause" | "stop" | "resume":
            campaign = _give(context, name, comment)
            if comment.source not in campaign.said:
                return Answer("Nothing was done: a later comment has said otherwise.", done=False)
            more = f" {_start(context, client, comment)}" if name == "resume" else ""
            return Answer(_said(name) + more)
        case "promote":
            return _promote(context, merge=False)
        case "outer":
            return _outer(context, campaign, text, comment)
        case "status":
            return Answer(markdown.write(standing(figures_of(context, campaign))))


def _outer(context: Context, campaign: Campaign, text: str, comment: Comment) -> Answer:
    """Show the mechanisms, or switch the one that is named."""
    words = text.partition("\n")[0].strip()
    if not words:
        return Answer(markdown.write(outer(figures_of(context, campaign).outer)))
    try:
        return Answer(f"{markdown.escape(switch(context, words, comment.source), 200)}.")
    except UserError as error:
        return Answer(f"{markdown.escape(str(error), 400)}.", done=False)


def _promote(context: Context, *, merge: bool) -> Answer:
    """Open the promotion or bring it up to date, and with `merge` move the base branch, by fast-forward alone."""
    try:
        done = promote(context, merge=merge)
    except RemoteUnreachable:
        raise
    except UserError as error:
        return Answer(f"It could not be done: {markdown.escape(str(error), 400)}.", done=False)
    address = web_address(done.url)
    if done.pull is None or address is None:
        return Answer(f"{markdown.escape(done.text, 400)}.", done=done.did != "nothing")
    return Answer(f"The promotion [{done.pull}]({address}): {done.did}.", done=done.did != "nothing")


def _give(
    context: Context, command: GivenCommand, comment: Comment, experiment: int | None = None, text: str = ""
) -> Campaign:
    """Write the command to the ledger once, as far as it still makes sense there."""

    def make(campaign: Campaign) -> list[CommandGiven]:
        match command:
            case "pause" | "resume" | "stop":
                idle = _overtaken(campaign, comment)
            case "revert" | "retry" | "approve" | "reject":
                idle = experiment is None or objection(campaign, command, experiment, call=CALL) is not None
        return (
            [] if idle else [CommandGiven(campaign.commands + 1, command, experiment, comment.source, text)]
        )

    return context.ledger.append(make)


def _overtaken(campaign: Campaign, comment: Comment) -> bool:
    """Whether a later comment was heard first: jobs run in any order, and may be run again days later."""
    later = (
        given
        for source, given in campaign.said.items()
        if source.startswith(COMMENT) and int(source.removeprefix(COMMENT)) > comment.comment
    )
    return any(given.command in _LOOP for given in later)


def _start(context: Context, client: GitHubClient, comment: Comment) -> str:
    """Start the workflow of the campaign's loop, and say whether it runs."""
    link = Link(PurePosixPath(WORKFLOW_PATH).name, comment.default_branch, run_title(context.name))
    try:
        start_next(client, link, context.name, own_run=None)
    except RemoteUnreachable:
        raise
    except UserError as error:
        why = markdown.escape(str(error), 400)
        return f"The workflow has to be started by hand, or starts at its next scheduled time: {why}."
    return "The loop goes on."


def idea_said(context: Context, campaign: Campaign, text: str, comment: Comment) -> tuple[str, bool]:
    """Write down the idea of a comment; return the reply, and whether it could be done."""
    words = idea_text(text)
    if not words:
        return f"`{CALL} idea` needs words: `{CALL} idea LEARNING_RATE = 0.004`.", False
    state = give_idea(context, words, source=comment.source, giver=comment.author, issue=comment.issue)
    stopped = campaign.stopped is not None or campaign.paused or campaign.stop_asked
    more = f" The loop has ended; `{CALL} resume` lets it go on." if stopped else ""
    return f"Idea {state.given.number} {noted_words(context, state)}.{more}", True
