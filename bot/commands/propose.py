"""`nocturne propose`: the next experiment up to its reviewed pull request, without training anything."""

from __future__ import annotations

import os
from pathlib import Path

from bot.actions.files import set_outputs
from bot.commands.session import campaign_session
from bot.loop.single import announce_training, propose_next


def run(*, repo: Path, campaign: str | None, finish_first: bool) -> int:
    with campaign_session(repo, campaign, thinks=True) as session:
        outcome = propose_next(session.desk, finish_first=finish_first)
        number, stop = (outcome, "") if isinstance(outcome, int) else ("", outcome.reason)
        set_outputs(os.environ, {"experiment": number, "stop": stop})
        if isinstance(outcome, int):
            if finish_first:
                announce_training(session.desk, outcome)
            session.say(f"experiment {outcome} is open: `nocturne show {outcome}`, then `nocturne train`")
        else:
            session.say_end(outcome)
    return 0
