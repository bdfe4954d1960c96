"""Files in artifacts that earlier runs of a workflow left on GitHub, if they are that workflow's own.

Anybody's pull request can run a workflow that leaves an artifact of any name. So the run behind an artifact is
looked at: it must be of this repository, of the workflow asked for, and nothing that others can set off.
https://docs.github.com/en/rest/actions/artifacts
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from bot.forge.github_client import GitHubClient, Refused

LARGEST = 1 << 20  # bytes of a packed artifact, and of the file in it
_LISTED = 30
_LOOKED_AT = 4  # of the newest; each takes three requests
_STARTED_BY = ("workflow_dispatch", "schedule")
_ACTIONS = "actions: read"


def left_files(
    client: GitHubClient, name: str, file: str, workflow: str, *, largest: int = LARGEST
) -> Iterator[bytes]:
    """Yield the contents of `file` in the artifacts called `name` that runs of `workflow` left, newest first.

    `workflow` is the path of its file. What has expired, is damaged, or larger than `largest` bytes is left out.
    Raises `UserError` if the token may not look.
    """
    try:
        listed = client.get("/actions/artifacts", name=name, per_page=_LISTED)["artifacts"]
        fitting = [each for each in listed if _is_of_repository(each) and each["size_in_bytes"] <= largest]
        fitting.sort(key=lambda each: str(each["created_at"]), reverse=True)
        for record in fitting[:_LOOKED_AT]:
            if not _is_of_workflow(client.get(f"/actions/runs/{record['workflow_run']['id']}"), workflow):
                continue
            content = _unpacked(_download(client, record["id"], largest), file, largest)
            if content is not None:
                yield content
    except Refused as refused:
        raise client.refusal(refused, "read artifacts", _ACTIONS) from None


def _is_of_repository(record: dict[str, Any]) -> bool:
    run = record.get("workflow_run") or {}
    home, head = run.get("repository_id"), run.get("head_repository_id")
    return home is not None and home == head and not record["expired"]


def _is_of_workflow(run: dict[str, Any], workflow: str) -> bool:
    return run["path"].partition("@")[0] == workflow and run["event"] in _STARTED_BY


def _download(client: GitHubClient, artifact: int, largest: int) -> bytes:
    """Return an artifact as it is packed; nothing if it has gone since it was listed."""
    try:
        address = client.get(f"/actions/artifacts/{artifact}/zip")
    except Refused as refused:
        if refused.status in (404, 410):
            return b""
        raise
    return client.download(str(address), largest)


def _unpacked(packed: bytes, file: str, largest: int) -> bytes | None:
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive, archive.open(file) as content:
            text = content.read(largest + 1)
    except (zipfile.BadZipFile, KeyError, zlib.error, OSError, RuntimeError, NotImplementedError, EOFError):
        return None  # whoever packed it: what can't be read is not there
    return text if len(text) <= largest else None
