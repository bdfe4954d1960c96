"""`nocturne revert N`: ask for a new experiment that takes a merged one out."""

from __future__ import annotations

from pathlib import Path

from bot.commands.session import campaign_session, give_command
from bot.errors import UserError


def run(*, repo: Path, campaign: str | None, number: int) -> int:
    with campaign_session(repo, campaign) as session:
        experiment = session.desk.ledger.refresh().experiments.get(number)
        if experiment is None or experiment.landed is None:
            raise UserError(f"experiment {number} was not merged: `nocturne status` lists those that were")
        give_command(session.desk, "revert", experiment=number)
        session.say(f"the next experiment takes experiment {number} out: `nocturne run -n 1`")
    return 0
