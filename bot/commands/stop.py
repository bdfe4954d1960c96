"""`nocturne stop`: let running loops end after the experiment in hand."""

from __future__ import annotations

from pathlib import Path

from bot.commands.session import campaign_session, give_command


def run(*, repo: Path, campaign: str | None) -> int:
    with campaign_session(repo, campaign) as session:
        give_command(session.context, "stop")
        session.say("stopped: running loops end after the experiment in hand")
    return 0
