"""`nocturne propose`: the next experiment up to its reviewed pull request, without training anything."""

from __future__ import annotations

from pathlib import Path

from bot.commands.session import campaign_session
from bot.loop.single import propose_next


def run(*, repo: Path, campaign: str | None) -> int:
    with campaign_session(repo, campaign) as session:
        outcome = propose_next(session.desk)
        if isinstance(outcome, int):
            session.say(f"experiment {outcome} is open: `nocturne show {outcome}`, then `nocturne train`")
        else:
            session.say_end(outcome)
    return 0
