"""`nocturne decide`: merge or close an experiment whose verdict is known. Never runs candidate code."""

from __future__ import annotations

from pathlib import Path

from bot.commands.session import campaign_session
from bot.loop.single import advance


def run(*, repo: Path, campaign: str | None, number: int | None) -> int:
    with campaign_session(repo, campaign) as session:
        decided = advance(session.desk, number, first_stage="rebase", last_stage="close")
        experiment = session.desk.ledger.refresh().experiments[decided]
        said = "is finished" if experiment.finished_at else "must be measured again: `nocturne train`"
        session.say(f"experiment {decided} {said}")
    return 0
