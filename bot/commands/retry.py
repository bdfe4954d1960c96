"""`nocturne retry N`: ask for a new experiment that tries a finished one again."""

from __future__ import annotations

from pathlib import Path

from bot.commands.session import campaign_session, give_experiment_command


def run(*, repo: Path, campaign: str | None, number: int) -> int:
    with campaign_session(repo, campaign) as session:
        give_experiment_command(session.context, "retry", number)
        session.say(f"the next experiment tries experiment {number} again: `nocturne run -n 1`")
    return 0
