"""`nocturne pause`: let running loops end after the stage in hand; open experiments stay open."""

from __future__ import annotations

from pathlib import Path

from bot.commands.session import campaign_session, give_command


def run(*, repo: Path, campaign: str | None) -> int:
    with campaign_session(repo, campaign) as session:
        give_command(session.context, "pause")
        session.say(
            "paused: running loops end after the stage in hand; `nocturne resume` lets them start again"
        )
    return 0
