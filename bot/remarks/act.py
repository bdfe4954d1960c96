"""Does what a comment asks, on the ledger, and says what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from bot.actions.caller import WORKFLOW_PATH
from bot.actions.chain import Link, run_title, start_next
from bot.errors import UserError
from bot.forge.github_client import GitHubClient
from bot.git import RemoteUnreachable
from bot.loop.desk import Desk
from bot.loop.render import figures_of
from bot.pulls.safe import prose
from bot.remarks.event import COMMENT, Remark
from bot.remarks.explain import explanation
from bot.remarks.ideas import idea_said
from bot.remarks.parse import CALL, Puzzle, Wish, parse, table
from bot.remarks.standing import standing
from bot.rules.campaign import Campaign
from bot.rules.events import CommandGiven

Given = Literal["pause", "resume", "stop", "revert"]
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


def act(desks: Sequence[Desk], client: GitHubClient, remark: Remark) -> Answer:
    """Do what `remark` asks in the campaigns that it is about: that of its pull request, else all of `desks`.

    Doing it again for the same comment changes nothing. Raises `UserError` where ledger or GitHub fail.
    """
    wish = parse(remark.body)
    if wish is None or isinstance(wish, Puzzle):
        return Answer("" if wish is None else wish.why, done=False)
    if wish.name == "help":
        return Answer(table())
    at_work = [(desk, desk.ledger.refresh()) for desk in desks]
    here = None
    for desk, campaign in at_work:
        number = _experiment_here(campaign, remark)
        if number is not None:
            at_work, here = [(desk, campaign)], number
    if wish.name in ("revert", "explain"):
        return _on_experiment(at_work, wish, remark, here)
    parts = [_on_campaign(desk, campaign, client, wish, remark) for desk, campaign in at_work]
    if len(parts) > 1 and wish.name != "status":
        named = zip(at_work, parts, strict=True)
        parts = [Answer(f"{prose(desk.name, 80)}: {part.text}", part.done) for (desk, _), part in named]
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
    at_work: Sequence[tuple[Desk, Campaign]], wish: Wish, remark: Remark, here: int | None
) -> Answer:
    call = f"`{CALL} {wish.name}`"
    if here is not None and wish.experiment not in (None, here):
        return Answer(f"This is the pull request of experiment {here}: here {call} is about that one.", False)
    number = wish.experiment if here is None else here
    if number is None:
        return Answer(f"{call} needs the number of an experiment here: `{CALL} {wish.name} 7`.", done=False)
    if len(at_work) > 1:
        return Answer(f"There are several campaigns: say {call} on the experiment's pull request.", False)
    desk, campaign = at_work[0]
    experiment = campaign.experiments.get(number)
    if experiment is None:
        return Answer(f"There is no experiment {number}.", done=False)
    if wish.name == "explain":
        return Answer(explanation(campaign, experiment, desk.rule()))
    return _revert(desk, number, remark)


def _revert(desk: Desk, number: int, remark: Remark) -> Answer:
    campaign = _give(desk, "revert", remark, number)
    if remark.source in campaign.said:
        stopped = campaign.stopped is not None or campaign.paused or campaign.stop_asked
        more = f" The loop has ended; `{CALL} resume` lets it go on." if stopped else ""
        return Answer(f"The next experiment takes experiment {number} out again.{more}")
    if campaign.experiments[number].landed is None:
        return Answer(f"Experiment {number} was not merged: there is nothing to take out.", done=False)
    return Answer(f"Experiment {number} is being taken out already, or is out.", done=False)


def _on_campaign(desk: Desk, campaign: Campaign, client: GitHubClient, wish: Wish, remark: Remark) -> Answer:
    if campaign.started is None:
        return Answer("The campaign has not begun: run its workflow on the Actions page.", done=False)
    match wish.name:
        case "idea":
            return Answer(*idea_said(desk, campaign, wish.text, remark))
        case "pause" | "stop" | "resume":
            campaign = _give(desk, wish.name, remark)
            if remark.source not in campaign.said:
                return Answer("Nothing was done: a later comment has said otherwise.", done=False)
            more = f" {_start(desk, client, remark)}" if wish.name == "resume" else ""
            return Answer(_SAID[wish.name] + more)
        case _:
            return Answer(standing(figures_of(desk, campaign)))


def _give(desk: Desk, command: Given, remark: Remark, experiment: int | None = None) -> Campaign:
    """Write the command to the ledger once, as far as it still makes sense there."""

    def make(campaign: Campaign) -> list[CommandGiven]:
        overtaken = command in _LOOP and _overtaken(campaign, remark)
        idle = experiment is not None and not _can_revert(campaign, experiment)
        if overtaken or idle or remark.source in campaign.said:
            return []
        return [CommandGiven(campaign.commands + 1, command, experiment, remark.source)]

    return desk.ledger.append(make)


def _overtaken(campaign: Campaign, remark: Remark) -> bool:
    """Whether a later comment was heard first: jobs run in any order, and may be run again days later."""
    later = (
        given
        for source, given in campaign.said.items()
        if source.startswith(COMMENT) and int(source.removeprefix(COMMENT)) > remark.comment
    )
    return any(given.command in _LOOP for given in later)


def _can_revert(campaign: Campaign, number: int) -> bool:
    experiment = campaign.experiments.get(number)
    if experiment is None or experiment.landed is None or number in campaign.reverts_waiting:
        return False
    others = (e for e in campaign.experiments.values() if e.reverts == number)
    return not any(e.finished_at is None or e.landed is not None for e in others)


def _start(desk: Desk, client: GitHubClient, remark: Remark) -> str:
    """Start the workflow of the campaign's loop, and say whether it runs."""
    link = Link(PurePosixPath(WORKFLOW_PATH).name, remark.default_branch, run_title(desk.name))
    try:
        start_next(client, link, desk.name, own_run=None)
    except RemoteUnreachable:
        raise
    except UserError as error:
        return f"The workflow has to be started by hand, or starts at its next scheduled time: {prose(str(error))}."
    return "The loop goes on."
