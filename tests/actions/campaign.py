"""Begins a campaign on the GitHub on loopback as a human does: `nocturne init`, push, "Run workflow"."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import requests

from tests.actions.runner import ACTION, Runner
from tests.bot.repositories import git, make_repository, nocturne
from tests.evaluator.runs import starter
from tests.github.server import GitHub

# What the generated workflows ask for, and no more.
PERMISSIONS = dict.fromkeys(("actions", "checks", "contents", "issues", "pull-requests", "statuses"), "write")
# A second of real training, by the clock of a busy machine; what is said of it holds for any seed.
TRAINED = """\
evaluator:
  budget: {{kind: cpu, amount: 1.5}}
  threads: 1
  eval_tokens: 4096
stop: {{experiments: {experiments}}}
"""


def begin(
    github: GitHub, folder: Path, form: str, config: str, name: str, files: Mapping[str, str] | None = None
) -> Runner:
    """Set a repository up below `folder`, with the workflow of a form, and dispatch it."""
    repository = github.repository(name, private=True, default_branch="main")
    token = github.token(
        "github-actions[bot]", kind="workflow", repository=repository, permissions=PERMISSIONS
    )
    top = make_repository(folder / "mine", config=config, files=files, shared=True)
    nocturne(top, "init", "--github", form, "--action", ACTION)
    git(top, "add", "--all")
    git(top, "commit", "--quiet", "--message", "Add Nocturne")
    git(top, "push", "--quiet", str(repository.path), "main")
    repository.collaborator("alice", "write")
    answer = requests.post(
        f"{github.api_url}/repos/{name}/actions/workflows/nocturne.yml/dispatches",
        json={"ref": "main"},
        headers={"Authorization": f"token {github.token('alice', kind='pat')}"},
        timeout=30,
    )
    assert answer.status_code == 204, answer.text
    return Runner(github, repository, folder / "runner", token)


def bundled_task(folder: Path) -> dict[str, str]:
    """Return the bundled task with a small model, as the files of a repository."""
    starter(folder)
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}
