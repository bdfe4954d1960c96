"""`nocturne train`: run an open experiment, and its incumbent, until the verdict is known."""

from __future__ import annotations

import os
from pathlib import Path

from bot.commands.session import campaign_session
from bot.errors import UserError
from bot.github.files import set_outputs
from bot.loop.jobs import advance, stage_in_hand, train_apart


def run(*, repo: Path, campaign: str | None, number: int | None, handover: Path | None) -> int:
    with campaign_session(repo, campaign) as session:
        if handover is not None:
            if number is None:
                raise UserError("--handover: name the experiment: `nocturne train N --handover FILE`")
            made = train_apart(session.context, number, handover.absolute())
            set_outputs(os.environ, {"experiment": number, "handover": handover.read_text().strip()})
            session.say(f"{made} run{'s' if made != 1 else ''} of experiment {number} are in {handover}")
            return 0
        trained = advance(session.context, number, first_stage="publish", last_stage="audit")
        if stage_in_hand(session.context, trained) == "repair":
            session.say(f"experiment {trained} crashed and goes back to its maker: `nocturne propose`")
        else:
            session.say(f"experiment {trained} has its verdict: `nocturne decide {trained}`")
    return 0
