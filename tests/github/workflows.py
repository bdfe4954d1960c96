"""Workflow files as the server reads them: which there are, and whether a dispatch fits.

https://docs.github.com/actions/reference/workflow-syntax-for-github-actions#onworkflow_dispatch
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

import yaml

from tests.github import concurrency, plumbing
from tests.github.expressions import filled
from tests.github.records import Run, User
from tests.github.repository import Repository, now
from tests.github.rules import unprocessable

_FOLDER = ".github/workflows"
_MOST_INPUTS = 25
_MOST_CHARACTERS = 65_535


@dataclass(frozen=True)
class Workflow:
    """One workflow file of the default branch; `id` stays the same as long as its path does."""

    id: int
    path: str
    name: str


def workflows(home: Repository) -> list[Workflow]:
    """Return the workflows that the default branch has."""
    head = home.branch(home.default_branch)
    if head is None:
        return []
    listed = plumbing.git(home.path, "ls-tree", "-r", "-z", "--name-only", head, "--", _FOLDER).split("\0")
    found = []
    for path in listed:
        if path.endswith((".yml", ".yaml")):
            document = _document(home, head, path)
            name = document.get("name") if isinstance(document, dict) else None
            found.append(Workflow(zlib.crc32(f"{home.id}{path}".encode()), path, str(name or path)))
    return found


def find_workflow(home: Repository, which: str) -> Workflow | None:
    """Return the workflow with this id or file name."""
    for workflow in workflows(home):
        if which in (str(workflow.id), workflow.path.rpartition("/")[2], workflow.path):
            return workflow
    return None


def accepted_inputs(home: Repository, sha: str, workflow: Workflow, given: dict[str, Any]) -> dict[str, str]:
    """Return the inputs of a dispatch with their defaults; refuse what the file at `sha` does not ask for."""
    document = _document(home, sha, workflow.path)
    if document is None:
        raise unprocessable(f"Workflow file {workflow.path} does not exist on this ref")
    declared = _declared(document)
    if declared is None:
        raise unprocessable("Workflow does not have 'workflow_dispatch' trigger")
    if len(given) > _MOST_INPUTS:
        raise unprocessable(
            f"you may only define up to {_MOST_INPUTS} `inputs` for a `workflow_dispatch` event"
        )
    if sum(len(name) + len(str(value)) for name, value in given.items()) > _MOST_CHARACTERS:
        raise unprocessable("inputs are too large.")
    unknown = sorted(given.keys() - declared.keys())
    if unknown:
        raise unprocessable(f"Unexpected inputs provided: {json.dumps(unknown)}")
    accepted: dict[str, str] = {}
    for name, about in declared.items():
        about = about if isinstance(about, dict) else {}
        value = given.get(name)
        if value is not None and not isinstance(value, str | bool | int | float):
            raise unprocessable(f"For 'properties/inputs/{name}', {value!r} is not a string.")
        if value in (None, "") and about.get("required") and about.get("default") is None:
            raise unprocessable(f"Required input '{name}' not provided")
        value = about.get("default", "") if value is None else value
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if about.get("type") == "choice" and text not in [str(option) for option in about.get("options", [])]:
            raise unprocessable(
                f"Provided value '{text}' for input '{name}' not in the list of allowed values"
            )
        if about.get("type") == "boolean" and text not in ("true", "false", ""):
            raise unprocessable(f"Provided value '{text}' for input '{name}' is not a boolean")
        accepted[name] = text
    return accepted


def queue_run(
    home: Repository, actor: User, workflow: Workflow, event: str, ref: str, sha: str, inputs: dict[str, str]
) -> Run:
    """Write a run down that waits for somebody to run it, with the title and the group that its file says."""
    document = _document(home, sha, workflow.path) or {}
    contexts = {"inputs": inputs, "github": {"event_name": event, "ref": f"refs/heads/{ref}"}}
    shared = document.get("concurrency")
    group = shared.get("group") if isinstance(shared, dict) else shared
    run = Run(
        id=home.new_id(),
        number=home.next_run(),
        workflow=workflow.path,
        name=workflow.name,
        event=event,
        branch=ref,
        sha=sha,
        actor=actor,
        created=now(),
        title=filled(str(document.get("run-name") or workflow.name), contexts),
        inputs=inputs,
        group=filled(str(group), contexts) if group else None,
    )
    concurrency.admit(home.contents.runs, run, run.created)
    return run


def run_scheduled(home: Repository, actor: User) -> list[Run]:
    """Queue a run of each workflow of the default branch that has a schedule, as when its time has come.

    https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#schedule
    """
    head = home.branch(home.default_branch)
    queued = []
    for workflow in workflows(home) if head is not None and home.workflows_enabled else []:
        document = _document(home, str(head), workflow.path)
        if isinstance(document, dict) and "schedule" in (_triggers(document) or {}):
            queued.append(queue_run(home, actor, workflow, "schedule", home.default_branch, str(head), {}))
    return queued


def _document(home: Repository, sha: str, path: str) -> Any:
    data = plumbing.file_at(home.path, sha, path)
    if data is None:
        return None
    try:
        return yaml.safe_load(data) or {}
    except yaml.YAMLError:
        return {}


def _declared(document: Any) -> dict[str, Any] | None:
    """Return the inputs of `on: workflow_dispatch`, or None without that trigger."""
    if not isinstance(document, dict):
        return None
    triggers = _triggers(document)
    if triggers == "workflow_dispatch" or (isinstance(triggers, list) and "workflow_dispatch" in triggers):
        return {}
    if not isinstance(triggers, dict) or "workflow_dispatch" not in triggers:
        return None
    return dict((triggers["workflow_dispatch"] or {}).get("inputs") or {})


def _triggers(document: dict[Any, Any]) -> Any:
    return document.get("on", document.get(True))  # YAML 1.1 reads the bare key `on` as true
