"""What a human says to a campaign: `nocturne pause`, `resume`, `stop`, `retry`, `approve`, `reject` and so on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from bot.base.text import one_line
from bot.commands.session import campaign_session
from bot.errors import UserError
from bot.loop.context import Context
from bot.loop.ideas import give_idea, idea_text, noted_words
from bot.loop.promoting import promote
from bot.rules.audits import appeal_words
from bot.rules.campaign import Campaign
from bot.rules.commands import TEXT_LIMIT, ExperimentCommand, Steering
from bot.rules.events import CommandGiven
from bot.rules.human import objection


def run(
    *, repo: Path, campaign: str | None, name: Steering, number: int = 0, words: Sequence[str] = (),
    merge: bool = False,
) -> int:  # fmt: skip
    with campaign_session(repo, campaign) as session:
        session.say(_steer(session.context, name, number, " ".join(words), merge))
    return 0


def _steer(context: Context, name: Steering, number: int, text: str, merge: bool) -> str:
    """Do what was said, and return what to say of it."""
    match name:
        case "pause":
            _give(context, name)
            return (
                "paused: running loops end after the stage in hand; `nocturne resume` lets them start again"
            )
        case "resume":
            _give(context, name)
            return "resumed: `nocturne run` goes on"
        case "stop":
            _give(context, name)
            return "stopped: running loops end after the experiment in hand"
        case "promote":
            return promote(context, merge=merge).text
        case "idea":
            state = give_idea(context, idea_text(text))
            return f"idea {state.given.number} {noted_words(context, state)}"
        case "approve":
            give_about(context, name, number)
            return f"experiment {number} counts as read"
        case "retry":
            more = appeal_words(give_about(context, name, number), number)
            return f"the next experiment tries experiment {number} again{more}: `nocturne run -n 1`"
        case "revert":
            give_about(context, name, number)
            return f"the next experiment takes experiment {number} out: `nocturne run -n 1`"
        case "reject":
            after = give_about(context, name, number, one_line(text, TEXT_LIMIT))
            ended = after.stopped is not None or after.paused
            more = "`nocturne run` closes it" if ended else "the loop closes it with its next step"
            return f"experiment {number} is rejected: nothing of it is merged; {more}"


def _give(context: Context, command: Literal["pause", "resume", "stop"]) -> None:
    """Write a human's command to the ledger."""
    if context.ledger.refresh().started is None:
        raise UserError(f"campaign {context.name!r} has not begun: `nocturne run` begins it")
    context.ledger.append(lambda c: [CommandGiven(c.commands + 1, command)])


def give_about(context: Context, command: ExperimentCommand, number: int, text: str = "") -> Campaign:
    """Write a human's command about one experiment to the ledger; UserError if it can't be done."""
    why: str | None = None

    def make(campaign: Campaign) -> list[CommandGiven]:
        nonlocal why
        why = objection(campaign, command, number, call="nocturne")
        return [] if why else [CommandGiven(campaign.commands + 1, command, number, text=text)]

    campaign = context.ledger.append(make)
    if why is not None:
        raise UserError(f"{why}; `nocturne status` lists the experiments")
    return campaign
