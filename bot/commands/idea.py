"""`nocturne idea TEXT`: give an idea, which the next experiments try."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.commands.session import campaign_session
from bot.loop.ideas import give_idea, idea_text


def run(*, repo: Path, campaign: str | None, text: Sequence[str]) -> int:
    with campaign_session(repo, campaign) as session:
        state = give_idea(session.context, idea_text(" ".join(text)))
        session.say(f"idea {state.given.number} is noted: the next experiments try it")
    return 0
