"""`nocturne answer`: does what a comment on GitHub asks, and hears of ideas; for the workflow of commands."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from bot.commands.session import campaign_session
from bot.config import CONFIG_PATH, campaigns
from bot.errors import UserError
from bot.git import Git
from bot.git.user_state import default_branch
from bot.github.answer import answer, hear, why_ignored, why_passed_over
from bot.github.event import Comment, read_event


def run(*, repo: Path, campaign: str | None) -> int:
    event = read_event(os.environ)
    if isinstance(event, Comment):
        name, ignored = f"comment {event.comment}", why_ignored(event)
    else:
        name, ignored = f"issue {event.issue}", why_passed_over(event)
    if ignored is not None:
        print(f"{name} is ignored: {ignored}")
        return 0
    with ExitStack() as stack:
        names = [campaign] if campaign else _campaigns(repo)
        sessions = [stack.enter_context(campaign_session(repo, each)) for each in names]
        forge = sessions[0].github
        if forge.client.repository.lower() != event.repository.lower():
            raise UserError(
                f"GITHUB_EVENT_PATH: {name} is in {event.repository}, and this is {forge.client.repository}"
            )
        contexts = [session.context for session in sessions]
        said = answer(contexts, forge, event) if isinstance(event, Comment) else hear(contexts, forge, event)
        sessions[0].say(f"{name}: {said}")
    return 0


def _campaigns(repo: Path) -> list[str | None]:
    """Return the names of all campaigns, as committed; [None] leaves it to the context to say what is wrong."""
    git = Git.open(repo.absolute())
    content = git.read_blob(default_branch(git), CONFIG_PATH)
    return [None] if content is None else [*campaigns(content.decode(errors="replace"))]
