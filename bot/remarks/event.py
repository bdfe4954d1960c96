"""The comment that started a workflow, as GitHub tells of it.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#issue_comment
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import UserError

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


def read_remark(environ: Mapping[str, str]) -> Remark:
    """Return the comment that started this workflow. Raises `UserError` where nothing of that kind did."""
    path = environ.get("GITHUB_EVENT_PATH")
    if environ.get("GITHUB_EVENT_NAME") != "issue_comment" or not path:
        raise UserError(
            "`nocturne answer` does what a comment on GitHub asks, in a workflow that runs on issue_comment; on"
            " your machine there are `nocturne status`, `pause`, `resume`, `stop` and `revert`"
        )
    try:
        return remark_of(json.loads(Path(path).read_bytes()))
    except OSError as error:
        raise UserError(f"GITHUB_EVENT_PATH: {path}: can't be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"GITHUB_EVENT_PATH: {path}: holds no comment's event ({error!r})") from None


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
