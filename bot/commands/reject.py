"""`nocturne reject N [REASON]`: end an open experiment, so that nothing of it is merged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.commands.session import campaign_session, give_experiment_command
from bot.remarks.parse import TEXT_LIMIT
from bot.text import one_line


def run(*, repo: Path, campaign: str | None, number: int, reason: Sequence[str]) -> int:
    with campaign_session(repo, campaign) as session:
        text = one_line(" ".join(reason), TEXT_LIMIT)
        after = give_experiment_command(session.context, "reject", number, text)
        ended = after.stopped is not None or after.paused
        more = " `nocturne run` closes it" if ended else " the loop closes it with its next step"
        session.say(f"experiment {number} is rejected: nothing of it is merged;{more}")
    return 0
