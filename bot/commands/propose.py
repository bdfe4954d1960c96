"""`nocturne propose`: the next experiment up to its reviewed pull request, without training anything."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from bot.base.process import in_actions
from bot.commands.session import campaign_session
from bot.forge.github import GitHubForge
from bot.github.chain import pick_up
from bot.github.files import set_outputs
from bot.loop.jobs import announce_training, propose_next


def run(*, repo: Path, campaign: str | None, finish_first: bool) -> int:
    with campaign_session(repo, campaign, thinks=True) as session:
        forge = session.context.forge
        look = None
        if finish_first and in_actions(os.environ) and isinstance(forge, GitHubForge):
            look = partial(pick_up, session.context, forge.client, os.environ)
        outcome = propose_next(session.context, finish_first=finish_first, pick_up=look)
        number, stop = (outcome, "") if isinstance(outcome, int) else ("", outcome.reason)
        set_outputs(os.environ, {"experiment": number, "stop": stop})
        if isinstance(outcome, int):
            if finish_first:
                announce_training(session.context, outcome)
            session.say(f"experiment {outcome} is open: `nocturne show {outcome}`, then `nocturne train`")
        else:
            session.say_end(outcome)
    return 0
