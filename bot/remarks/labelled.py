"""An issue that was labelled, unlabelled or closed, as GitHub tells of it.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#issues
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
