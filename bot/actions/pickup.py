"""Picks up what a training job handed over when the job that was to take it in died: no paid-for run is lost."""

from __future__ import annotations

from collections.abc import Mapping

from bot.actions.chain import this_link
from bot.errors import UserError
from bot.forge.github_artifacts import left_files
from bot.forge.github_client import GitHubClient
from bot.loop import handover
from bot.loop.context import Context

FILE = "nocturne-handover.json"  # as .github/action/run.sh calls it


def artifact_name(experiment: int) -> str:
    """Return what the training job of an experiment calls its artifact; the workflow says the same."""
    return f"handover-{experiment}"


def pick_up(context: Context, client: GitHubClient, environ: Mapping[str, str], experiment: int) -> bool:
    """Put the runs of an experiment on the ledger that an earlier run of this workflow left as an artifact.

    Returns whether there were any. They are checked as everything that is handed over; what fails that, such
    as runs from before the experiment was rebased, is left where it is.
    """
    link = this_link(environ, context.name)
    name = artifact_name(experiment)
    for content in left_files(client, name, FILE, f".github/workflows/{link.workflow}"):
        before = len(context.ledger.known().runs)
        try:
            handover.take_in(context, content.decode(errors="replace"), f"artifact {name}", of=experiment)
        except UserError as error:
            context.display.note(str(error))
            continue
        if len(context.ledger.known().runs) > before:
            context.display.note(
                f"the runs of experiment {experiment} that an earlier job left are picked up"
            )
            return True
    return False
