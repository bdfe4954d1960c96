"""The event that started a workflow, as GitHub tells of it: a comment, what happened to an issue or a pull request.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#issue_comment
https://docs.github.com/en/webhooks/webhook-events-and-payloads#issues
https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import UserError

COMMENT = "comment:"  # how the ledger names a comment, before its id


@dataclass(frozen=True)
class Comment:
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


def read_event(environ: Mapping[str, str]) -> Comment | Labelling | Handling:
    """Return the event that started this workflow. Raises `UserError` if nothing of our kind did."""
    path, name = environ.get("GITHUB_EVENT_PATH"), environ.get("GITHUB_EVENT_NAME")
    readers: dict[str, Callable[[Mapping[str, Any]], Comment | Labelling | Handling]] = {
        "issue_comment": comment_of,
        "issues": labelling_of,
        "pull_request": handling_of,
        "pull_request_review": handling_of,
    }
    if name not in readers or not path:
        raise UserError(
            "`nocturne answer` does what a comment on GitHub asks, in a workflow that runs on issue_comment, issues and"
            " pull_request; on your machine there are `nocturne status`, `pause`, `resume`, `stop`, `revert` and `idea`"
        )
    try:
        payload = json.loads(Path(path).read_bytes())
        return readers[name](payload)
    except OSError as error:
        raise UserError(f"GITHUB_EVENT_PATH: {path}: can't be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"GITHUB_EVENT_PATH: {path}: holds no event of {name} ({error!r})") from None


def comment_of(payload: Mapping[str, Any]) -> Comment:
    """Return the comment of an event's payload. Raises KeyError, TypeError or ValueError for any other one."""
    issue, comment, repository = payload["issue"], payload["comment"], payload["repository"]
    user = comment["user"] or {"login": "ghost", "id": 0, "type": "none"}  # an account that is gone
    return Comment(
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


@dataclass(frozen=True)
class Labelling:
    """What happened to an issue (`action`), with the issue as it stood then; `sender` is who did it.

    `label` is the one that was put on or taken off, "" where it is about none.
    """

    action: str
    repository: str
    issue: int
    title: str
    body: str
    labels: tuple[str, ...]
    label: str
    when: str
    sender: str
    sender_id: int
    by_person: bool

    @property
    def source(self) -> str:
        """How the ledger names this one labelling. An event has no number of its own, but an issue changes
        when it is labelled."""
        words = f"{self.title}\0{self.body}".encode(errors="replace")
        return f"label:{self.issue}:{self.when}:{hashlib.sha256(words).hexdigest()[:12]}"


def labelling_of(payload: Mapping[str, Any]) -> Labelling:
    """Return what an event's payload tells. Raises KeyError, TypeError or ValueError for any other one."""
    issue, sender = payload["issue"], payload["sender"]
    return Labelling(
        action=str(payload["action"]),
        repository=str(payload["repository"]["full_name"]),
        issue=int(issue["number"]),
        title=str(issue["title"]),
        body=str(issue["body"] or ""),
        labels=tuple(str(label["name"]) for label in issue["labels"]),
        label=str((payload.get("label") or {}).get("name", "")),
        when=str(issue["updated_at"]),
        sender=str(sender["login"]),
        sender_id=int(sender["id"]),
        by_person=sender.get("type") == "User",
    )


@dataclass(frozen=True)
class Handling:
    """What somebody did to a pull request by hand (`action`), or that it was reviewed; `sender` is who did it.

    Only which pull request it is, and who did something, is taken from the event: what stands there is looked at.
    """

    action: str
    repository: str
    pull: int
    is_ours: bool
    label: str
    sender: str
    sender_id: int
    by_person: bool


def handling_of(payload: Mapping[str, Any]) -> Handling:
    """Return what an event's payload tells. Raises KeyError, TypeError or ValueError for any other one."""
    pull, sender, repository = payload["pull_request"], payload["sender"], payload["repository"]
    home = (pull["head"].get("repo") or {}).get("full_name", "")  # null if the fork is gone
    return Handling(
        action="reviewed" if "review" in payload else str(payload["action"]),
        repository=str(repository["full_name"]),
        pull=int(pull["number"]),
        is_ours=str(home) == str(repository["full_name"]),
        label=str((payload.get("label") or {}).get("name", "")),
        sender=str(sender["login"]),
        sender_id=int(sender["id"]),
        by_person=sender.get("type") == "User",
    )
