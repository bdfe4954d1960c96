"""Nocturne's workflow in a user's repository, as far as the doctor must know it."""

from __future__ import annotations

import json
from dataclasses import dataclass

import yaml

_HOSTED = ("ubuntu-", "windows-", "macos-")


@dataclass(frozen=True)
class WorkflowFile:
    """Nocturne's workflow on the default branch: whether it runs, and the labels of the runner that trains."""

    state: str
    labels: tuple[str, ...]

    @property
    def is_hosted(self) -> bool:
        """Whether GitHub's own machines run it, which nobody else's pull request can harm."""
        return any(label.lower().startswith(_HOSTED) for label in self.labels)


def labels_of(text: str) -> tuple[str, ...]:
    """Return the labels of the runner that trains, as a workflow that `nocturne init` wrote has them; () if none."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        return ()
    jobs = document.get("jobs") if isinstance(document, dict) else None
    for job in jobs.values() if isinstance(jobs, dict) else ():
        if not isinstance(job, dict):
            continue
        inputs = job.get("with")
        wanted = inputs.get("train-on") if isinstance(inputs, dict) else None
        wanted = wanted or job.get("runs-on")
        if isinstance(wanted, str) and wanted.startswith("["):
            try:
                wanted = json.loads(wanted)
            except ValueError:
                continue
        if isinstance(wanted, str):
            wanted = [wanted]
        if isinstance(wanted, list) and wanted:
            return tuple(str(label) for label in wanted)
    return ()
