"""The event that started a workflow, as GitHub tells of it: a comment, or what happened to an issue.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#issue_comment
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import UserError
from bot.remarks.labelled import Labelling, labelling_of

COMMENT = "comment:"  # how the ledger names a comment, before its id


@dataclass(frozen=True)
class Remark:
    """A comment: `action` is what happened to it, `issue` the number of the issue or pull request it is on."""

    action: str
    repository: str
    default_branch: str
    issue: int
    on_pull: bool
    comment: int
    author: str
    author_id: int
    by_person: bool
    body: str

    @property
    def source(self) -> str:
        """How the ledger names it."""
        return f"{COMMENT}{self.comment}"


def read_event(environ: Mapping[str, str]) -> Remark | Labelling:
    """Return the event that started this workflow. Raises `UserError` where nothing of our kind did."""
    path, name = environ.get("GITHUB_EVENT_PATH"), environ.get("GITHUB_EVENT_NAME")
    if name not in ("issue_comment", "issues") or not path:
        raise UserError(
            "`nocturne answer` does what a comment on GitHub asks, in a workflow that runs on issue_comment and"
            " issues; on your machine there are `nocturne status`, `pause`, `resume`, `stop`, `revert` and `idea`"
        )
    try:
        payload = json.loads(Path(path).read_bytes())
        return remark_of(payload) if name == "issue_comment" else labelling_of(payload)
    except OSError as error:
        raise UserError(f"GITHUB_EVENT_PATH: {path}: can't be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"GITHUB_EVENT_PATH: {path}: holds no event of {name} ({error!r})") from None


def remark_of(payload: Mapping[str, Any]) -> Remark:
    """Return the comment of an event's payload. Raises KeyError, TypeError or ValueError for any other one."""
    issue, comment, repository = payload["issue"], payload["comment"], payload["repository"]
    user = comment["user"] or {"login": "ghost", "id": 0, "type": "none"}  # an account that is gone
    return Remark(
        action=str(payload["action"]),
        repository=str(repository["full_name"]),
        default_branch=str(repository["default_branch"]),
        issue=int(issue["number"]),
        on_pull=issue.get("pull_request") is not None,
        comment=int(comment["id"]),
        author=str(user["login"]),
        author_id=int(user["id"]),
        by_person=user.get("type") == "User",
        body=str(comment["body"] or ""),
    )
