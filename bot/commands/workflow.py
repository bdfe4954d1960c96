"""The verbs that only workflows on GitHub use."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from bot.commands.session import campaign_names, campaign_session
from bot.errors import UserError
from bot.github.answer import answer as answer_comment
from bot.github.answer import hear, why_ignored, why_passed_over
from bot.github.chain import has_group, start_next, this_link
from bot.github.event import Comment, Handling, read_event
from bot.github.files import set_outputs
from bot.github.hand import hear_hand, why_left_alone
from bot.loop.asking import ask
from bot.loop.jobs import stop_now
from bot.rules.reasons import TRAININGS

ATTEMPTS = 3


def next_run(*, repo: Path, campaign: str | None, attempt: int, as_json: bool) -> int:
    """Start the next link of a chain of workflow runs, unless a stop condition says why not."""
    with campaign_session(repo, campaign, quiet=as_json) as session:
        context = session.context
        client = session.github.client
        link = this_link(os.environ, context.name)
        stop = stop_now(context)
        set_outputs(os.environ, {"continues": stop is None, "stop": stop.reason if stop else ""})
        if stop is not None:
            session.say_end(stop)
        elif attempt >= ATTEMPTS:
            lost = f"{attempt} runs in a row ended without a training"
            ask(context, TRAININGS.name, lost)
            raise UserError(
                f"{lost}: see what the training job says; the chain ends here, and the workflow's schedule begins"
                " another one"
            )
        elif start_next(
            client,
            link,
            context.name,
            os.environ.get("GITHUB_RUN_ID"),
            attempt,
            one_waits=has_group(context, link),
        ):
            session.say(f"{link.workflow} goes on")
        else:
            session.say(f"{link.workflow} goes on by itself: its next run waits already")
        if as_json:
            print(json.dumps({"continues": stop is None, "stop": asdict(stop) if stop else None}))
    return 0


def answer(*, repo: Path, campaign: str | None) -> int:
    """Does what a comment on GitHub asks, and hears of ideas and gestures; for the workflow of commands."""
    event = read_event(os.environ)
    if isinstance(event, Comment):
        name, ignored = f"comment {event.comment}", why_ignored(event)
    elif isinstance(event, Handling):
        name, ignored = f"pull request {event.pull}", why_left_alone(event)
    else:
        name, ignored = f"issue {event.issue}", why_passed_over(event)
    if ignored is not None:
        print(f"{name} is ignored: {ignored}")
        return 0
    with ExitStack() as stack:
        names = [campaign] if campaign else campaign_names(repo)
        sessions = [stack.enter_context(campaign_session(repo, each)) for each in names]
        forge = sessions[0].github
        if forge.client.repository.lower() != event.repository.lower():
            raise UserError(
                f"GITHUB_EVENT_PATH: {name} is in {event.repository}, and this is {forge.client.repository}"
            )
        contexts = [session.context for session in sessions]
        if isinstance(event, Comment):
            said = answer_comment(contexts, forge, event)
        elif isinstance(event, Handling):
            said = hear_hand(contexts, forge, event)
        else:
            said = hear(contexts, forge, event)
        sessions[0].say(f"{name}: {said}")
    return 0
