"""`nocturne promote`: the pull request with the campaign's confirmed gains, and on request its merge."""

from __future__ import annotations

from pathlib import Path

from bot.commands.session import campaign_session
from bot.loop.promoting import promote


def run(*, repo: Path, campaign: str | None, merge: bool) -> int:
    with campaign_session(repo, campaign) as session:
        session.say(promote(session.context, merge=merge).text)
    return 0
