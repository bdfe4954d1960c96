"""`nocturne train`: run an open experiment, and its incumbent, until the verdict is known."""

from __future__ import annotations

from pathlib import Path

from bot.commands.session import campaign_session
from bot.loop.single import advance


def run(*, repo: Path, campaign: str | None, number: int | None) -> int:
    with campaign_session(repo, campaign) as session:
        trained = advance(session.desk, number, first_stage="publish", last_stage="train")
        session.say(f"experiment {trained} has its verdict: `nocturne decide {trained}`")
    return 0
