"""`nocturne decide`: merge or close an experiment whose verdict is known. Never runs candidate code."""

from __future__ import annotations

import os
from pathlib import Path

from bot.commands.session import campaign_session
from bot.github.outputs import tell
from bot.loop.jobs import decide_experiment, stage_in_hand


def run(*, repo: Path, campaign: str | None, number: int | None, handover: Path | None) -> int:
    with campaign_session(repo, campaign) as session:
        decided, trained = decide_experiment(session.context, number, handover)
        tell(os.environ, session.context, decided, trained=trained)
        match stage_in_hand(session.context, decided):
            case None:
                said = "is finished"
            case "held":
                said = "waits until somebody has read earlier merges: `nocturne status` lists them"
            case "repair":
                said = "crashed and goes back to its maker: `nocturne propose`"
            case _:
                said = "needs another run: `nocturne train`"
        session.say(f"experiment {decided} {said}")
    return 0
