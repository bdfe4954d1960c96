"""What the commands share: a context for a repository, a display, and the last words."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bot.agents.claude.disclosure import disclosure
from bot.agents.proposers.offline import OfflineProposer
from bot.base.process import in_actions
from bot.config import CONFIG_PATH, campaigns
from bot.errors import NotAllowed, UserError
from bot.forge.github import GitHubForge
from bot.git import Git
from bot.git.remote import where_it_goes
from bot.git.user_state import default_branch
from bot.github.cuts import SECRET, cuts_of_job
from bot.github.display import ActionsDisplay
from bot.loop.agents import with_agents
from bot.loop.asking import ask_for_permission
from bot.loop.context import Context, open_context
from bot.loop.evaluation import RunFolder
from bot.rules.stopping import Stop
from bot.tell import sentences
from bot.tell.display import Display, PlainDisplay, TerminalDisplay


@dataclass(frozen=True)
class Session:
    """A command at work on one campaign."""

    context: Context

    @property
    def github(self) -> GitHubForge:
        """The forge, for what only GitHub has; UserError if the campaign's remote is not there."""
        if not isinstance(self.context.forge, GitHubForge):
            raise UserError(
                "remote: not on GitHub, or GITHUB_TOKEN is not set: this command works in a workflow"
            )
        return self.context.forge

    def say(self, text: str) -> None:
        self.context.display.note(text)

    def say_end(self, stop: Stop) -> None:
        """Say why the loop ended, and what to look at now."""
        self.context.display.note(sentences.stopped(stop))


@contextmanager
def campaign_session(
    repo: Path, campaign: str | None, *, quiet: bool = False, thinks: bool = False
) -> Iterator[Session]:
    """Open the campaign of the repository that holds `repo`, with a display that suits the terminal.

    `quiet` keeps standard output for the command's own answer: notes go to standard error. A command that
    `thinks` may propose and review: it needs what the configured agents need, and says first where all of it goes.
    """
    shown: Display = PlainDisplay(sys.stderr if quiet else sys.stdout)
    if not logging.getLogger("nocturne").isEnabledFor(logging.INFO):
        shown = PlainDisplay(io.StringIO())  # -q
    elif in_actions(os.environ) and not quiet:
        shown = ActionsDisplay(sys.stdout)
    elif sys.stdout.isatty() and not quiet:
        shown = TerminalDisplay()
    try:
        context = open_context(repo.absolute(), campaign, shown, os.environ, OfflineProposer())
        if thinks and context.remote.note is None:
            shown.note(where_it_goes(context.git, context.remote))
        for sentence in disclosure(context.config) if thinks else ():
            shown.note(sentence)
        if in_actions(os.environ):
            context = replace(context, runs=RunFolder(context.runs.folder, cuts_of_job(context, os.environ)))
            os.environ.pop(SECRET, None)  # no process that we start needs it
        try:
            yield Session(with_agents(context, os.environ) if thinks else context)
        except NotAllowed as error:
            if in_actions(os.environ):
                ask_for_permission(context, error)
            raise
    finally:
        shown.close()


def campaign_names(repo: Path) -> list[str | None]:
    """Return the names of all campaigns, as committed; [None] leaves it to the context to say what is wrong."""
    git = Git.open(repo.absolute())
    content = git.read_blob(default_branch(git), CONFIG_PATH)
    return [None] if content is None else [*campaigns(content.decode(errors="replace"))]
