"""`nocturne run`: the loop, until a stop condition says why not."""

from __future__ import annotations

from pathlib import Path

from bot.commands.session import campaign_session
from bot.ledger import now
from bot.loop.runner import Until, deadline_today, run_loop


def run(*, repo: Path, campaign: str | None, experiments: int | None, until: str | None) -> int:
    deadline = deadline_today(until, now()) if until else None
    with campaign_session(repo, campaign, thinks=True) as session:
        session.say_end(run_loop(session.context, Until(experiments, deadline)))
    return 0
