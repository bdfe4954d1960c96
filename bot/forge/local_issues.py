"""Issues without GitHub: records beside those of the pull requests, numbered together with them as on GitHub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bot.forge import BODY_LIMIT, CloseReason, Issue, NotFound, cut
from bot.ledger.records import Records, Snapshot


class LocalIssues:
    """`issues/000001.json`, and under `keys/` the number of the latest issue of each key."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def upsert(self, key: str, *, title: str, body: str, labels: tuple[str, ...]) -> Issue:
        """See `Forge.upsert_issue`."""
        said = {"title": title, "body": cut(body, BODY_LIMIT)}
        number = 0

        def change(now: Snapshot) -> Mapping[str, bytes | None] | None:
            nonlocal number
            known = now.read(_key_path(key))
            number = int(known or b"0")
            record = _record(now, number) if known is not None else None
            if record is not None and record["state"] == "open":
                changed = record | said
                return {issue_path(number): _json(changed)} if changed != record else None
            number = int(now.read("next") or b"1")
            opened = {"number": number, "key": key, "state": "open", "reason": None, "labels": sorted(labels)}
            return {
                issue_path(number): _json(opened | said),
                _key_path(key): b"%d\n" % number,
                "next": b"%d\n" % (number + 1),
            }

        return _issue(_record(self._records.update(change, lambda: f"issue {number}: {key}"), number))

    def get(self, number: int) -> Issue:
        """See `Forge.get_issue`."""
        return _issue(self._records.read(lambda now: _record(now, number)))

    def close(self, number: int, reason: CloseReason) -> None:
        """See `Forge.close_issue`."""

        def change(now: Snapshot) -> Mapping[str, bytes | None] | None:
            record = _record(now, number)
            if record["state"] == "closed":
                return None
            return {issue_path(number): _json(record | {"state": "closed", "reason": reason})}

        self._records.update(change, f"issue {number}: closed")


def issue_path(number: int) -> str:
    """Return where the record of an issue is."""
    return f"issues/{number:06d}.json"


def _key_path(key: str) -> str:
    return f"issues/keys/{quote(key, safe=' ')}"


def _record(now: Snapshot, number: int) -> dict[str, Any]:
    content = now.read(issue_path(number))
    if content is None:
        raise NotFound(f"there is no issue {number}")
    record: dict[str, Any] = json.loads(content)
    return record


def _issue(record: Mapping[str, Any]) -> Issue:
    number = int(record["number"])
    return Issue(
        number, record["key"], record["title"], record["body"], record["state"], record["reason"],
        tuple(record["labels"]), f"local:issue/{number}",
    )  # fmt: skip


def _json(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, indent=1).encode() + b"\n"
