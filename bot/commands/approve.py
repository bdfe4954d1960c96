"""`nocturne approve N`: note that a human has read a merged experiment."""

from __future__ import annotations

from pathlib import Path

from bot.commands.session import campaign_session, give_experiment_command


def run(*, repo: Path, campaign: str | None, number: int) -> int:
    with campaign_session(repo, campaign) as session:
        give_experiment_command(session.context, "approve", number)
        session.say(f"experiment {number} counts as read")
    return 0
