"""`nocturne resume`: take back pause and stop, and let streaks count anew."""

from __future__ import annotations

from pathlib import Path

from bot.commands.session import campaign_session, give_command


def run(*, repo: Path, campaign: str | None) -> int:
    with campaign_session(repo, campaign) as session:
        give_command(session.context, "resume")
        session.say("resumed: `nocturne run` goes on")
    return 0
