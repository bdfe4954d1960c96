"""`nocturne decide`: merge or close an experiment whose verdict is known. Never runs candidate code."""

from __future__ import annotations

import os
from pathlib import Path

from bot.commands.session import campaign_session
from bot.github.outputs import tell
from bot.loop.single import decide_experiment


def run(*, repo: Path, campaign: str | None, number: int | None, handover: Path | None) -> int:
    with campaign_session(repo, campaign) as session:
        decided, trained = decide_experiment(session.context, number, handover)
        experiment = tell(os.environ, session.context, decided, trained=trained)
        said = "is finished" if experiment.finished_at else "needs another run: `nocturne train`"
        if experiment.is_held:
            said = "waits until somebody has read earlier merges: `nocturne status` lists them"
        elif experiment.sent_back is not None and experiment.decision is None:
            said = "crashed and goes back to its maker: `nocturne propose`"
        session.say(f"experiment {decided} {said}")
    return 0
