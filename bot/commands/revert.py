"""`nocturne revert N`: ask for a new experiment that takes a merged one out."""

from __future__ import annotations

from pathlib import Path

from bot.commands.session import campaign_session, give_experiment_command


def run(*, repo: Path, campaign: str | None, number: int) -> int:
    with campaign_session(repo, campaign) as session:
        give_experiment_command(session.context, "revert", number)
        session.say(f"the next experiment takes experiment {number} out: `nocturne run -n 1`")
    return 0
