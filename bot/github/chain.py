"""The chain of workflow runs: each link starts the next one, and never two, and takes in what a broken one left.

What a workflow's own token does starts no workflow, with one exception: a dispatch
(https://docs.github.com/en/actions/concepts/security/github_token). So a night is a chain of dispatches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.errors import UserError
from bot.forge.github_artifacts import left_files
from bot.forge.github_client import GitHubClient, Refused
from bot.loop import handover
from bot.loop.context import Context

_WAITING = ("queued", "pending", "waiting", "requested")
_REF = re.compile(r"[^/]+/[^/]+/\.github/workflows/(?P<file>[^/@]+)@refs/(?:heads|tags)/(?P<ref>.+)")
FILE = "nocturne-handover.json"  # as .github/action/run.sh calls it


@dataclass(frozen=True)
class Link:
    """A workflow to start: its file's name, the branch, and the title that all of a campaign's runs have."""

    workflow: str
    ref: str
    title: str


def this_link(environ: Mapping[str, str], campaign: str) -> Link:
    """Return the link that runs us now. Raises `UserError` outside of a workflow on a branch."""
    found = _REF.fullmatch(environ.get("GITHUB_WORKFLOW_REF", ""))
    if found is None:
        raise UserError(
            "GITHUB_WORKFLOW_REF names no workflow on a branch: `nocturne next` goes on with a chain of workflow"
            " runs; on your machine `nocturne run` does all experiments by itself"
        )
    return Link(found["file"], found["ref"], run_title(campaign))


def run_title(campaign: str) -> str:
    """Return the `run-name` of a campaign's runs, by which they are told apart."""
    return f"Nocturne: {campaign}"


def start_next(
    client: GitHubClient,
    link: Link,
    campaign: str,
    own_run: str | None,
    attempt: int = 0,
    *,
    one_waits: bool = False,
) -> bool:
    """Start the next link; False if one waits already.

    `own_run` is the number of the run that asks, `attempt` how many runs in a row came to nothing. `one_waits`: GitHub
    sees to it that one run waits at most, and lets a newer one take its place, so that none need be looked for.
    """

    def waiting() -> dict[str, Any] | None:
        path = f"/actions/workflows/{link.workflow}/runs"
        runs = client.get(path, per_page=30)["workflow_runs"]
        return next(
            (
                run
                for run in runs
                if run["status"] in _WAITING
                and str(run["id"]) != own_run
                and run.get("display_title") == link.title
            ),
            None,
        )

    try:
        if not one_waits and waiting() is not None:
            return False
        client.request(
            "POST",
            f"/actions/workflows/{link.workflow}/dispatches",
            {"ref": link.ref, "inputs": {"campaign": campaign, "attempt": str(attempt)}},
            look=waiting,
        )
    except Refused as refused:
        raise client.refusal(refused, f"start {link.workflow} again", "actions: write") from None
    return True


def has_group(context: Context, link: Link) -> bool:
    """Whether the workflow has a concurrency group for all of its runs, as what `nocturne init` writes has."""
    content = context.git.read_blob(context.base, f".github/workflows/{link.workflow}") or b""
    return re.search(rb"(?m)^concurrency:", content) is not None


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
