"""`nocturne answer`: does what one comment on GitHub asks, and replies to it; for the workflow of commands."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from bot.commands.session import campaign_session
from bot.config import CONFIG_PATH, campaigns
from bot.errors import UserError
from bot.git import Git
from bot.remarks.answer import answer, why_ignored
from bot.remarks.event import read_remark


def run(*, repo: Path, campaign: str | None) -> int:
    remark = read_remark(os.environ)
    ignored = why_ignored(remark)
    if ignored is not None:
        print(f"comment {remark.comment} is ignored: {ignored}")
        return 0
    with ExitStack() as stack:
        names = [campaign] if campaign else _campaigns(repo)
        sessions = [stack.enter_context(campaign_session(repo, name)) for name in names]
        forge = sessions[0].github
        if forge.client.repository.lower() != remark.repository.lower():
            raise UserError(
                f"GITHUB_EVENT_PATH: the comment is in {remark.repository}, and this is {forge.client.repository}"
            )
        said = answer([session.desk for session in sessions], forge, remark)
        sessions[0].say(f"comment {remark.comment}: {said}")
    return 0


def _campaigns(repo: Path) -> list[str | None]:
    """Return the names of all campaigns, as committed; [None] leaves it to the desk to say what is wrong."""
    git = Git.open(repo.absolute())
    content = git.read_blob(git.default_branch(), CONFIG_PATH)
    return [None] if content is None else [*campaigns(content.decode(errors="replace"))]
