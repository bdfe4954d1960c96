"""`nocturne next`: start the next link of a chain of workflow runs, unless a stop condition says why not."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from bot.commands.session import campaign_session
from bot.errors import UserError
from bot.github.chain import start_next, this_link
from bot.github.files import set_outputs
from bot.loop.asking import ask
from bot.loop.jobs import stop_now
from bot.rules.reasons import TRAININGS

ATTEMPTS = 3


def run(*, repo: Path, campaign: str | None, attempt: int, as_json: bool) -> int:
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
        elif start_next(client, link, context.name, os.environ.get("GITHUB_RUN_ID"), attempt):
            session.say(f"{link.workflow} goes on")
        else:
            session.say(f"{link.workflow} goes on by itself: its next run waits already")
        if as_json:
            print(json.dumps({"continues": stop is None, "stop": asdict(stop) if stop else None}))
    return 0
