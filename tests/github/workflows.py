"""Workflow files as the server reads them: which there are, and whether a dispatch fits.

https://docs.github.com/actions/reference/workflow-syntax-for-github-actions#onworkflow_dispatch
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

import yaml

from tests.github import plumbing
from tests.github.repository import Repository
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
    triggers = document.get("on", document.get(True))  # YAML 1.1 reads the bare key `on` as true
    if triggers == "workflow_dispatch" or (isinstance(triggers, list) and "workflow_dispatch" in triggers):
        return {}
    if not isinstance(triggers, dict) or "workflow_dispatch" not in triggers:
        return None
    return dict((triggers["workflow_dispatch"] or {}).get("inputs") or {})
