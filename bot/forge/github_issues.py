"""Issues on GitHub: found by a mark in their text, opened once, closed once.

https://docs.github.com/en/rest/issues/issues
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.errors import UserError
from bot.forge import CloseReason, NotFound
from bot.forge.github_client import GitHubClient, Refused
from bot.forge.github_labels import Labels
from bot.forge.github_records import marked, title_of, unmarked

_ISSUES = "issues: write"
_GONE = (404, 410)  # 410: deleted, or the repository has no issues
_LAGS = (0.0, 1.0, 2.0)  # seconds before each look for what was opened just now: lists may lag


class GitHubIssues:
    """The issues of a repository that we open, and those of humans that we close."""

    def __init__(self, client: GitHubClient, labels: Labels) -> None:
        self._client = client
        self._labels = labels

    def upsert(self, key: str, *, title: str, body: str, labels: tuple[str, ...]) -> tuple[int, str]:
        """See `Forge.upsert_issue`."""
        wanted = {"title": title_of(title), "body": marked(key, body)}
        try:
            record = self._find(key, labels)
            if record is None:
                record = self._client.request(
                    "POST", "/issues", wanted | {"labels": list(labels)}, look=lambda: self._look(key, labels)
                )
                self._labels.colour(record["labels"])
            elif any(record[name] != text for name, text in wanted.items()):
                record = self._client.request("PATCH", f"/issues/{record['number']}", wanted)
        except Refused as refused:
            raise self._client.refusal(refused, "open issues", _ISSUES) from None
        return int(record["number"]), str(record["html_url"])

    def _find(self, key: str, labels: tuple[str, ...]) -> Mapping[str, Any] | None:
        """Return the oldest open issue of `key`: of two, all see the same one."""
        listed = self._client.pages("/issues", state="open", labels=",".join(labels))
        return min(
            (each for each in listed if (read := unmarked(each)) is not None and read[0] == key),
            key=lambda each: int(each["number"]),
            default=None,
        )

    def _look(self, key: str, labels: tuple[str, ...]) -> Mapping[str, Any] | None:
        """Return the issue that may or may not have been opened just now."""
        for pause in _LAGS:
            self._client.sleep(pause)
            found = self._find(key, labels)
            if found is not None:
                return found
        return None

    def close(self, number: int, reason: CloseReason) -> None:
        """See `Forge.close_issue`."""
        try:
            self._client.request("PATCH", f"/issues/{number}", {"state": "closed", "state_reason": reason})
        except Refused as refused:
            raise self._said(refused, number, "close issues") from None

    def _said(self, refused: Refused, number: int, doing: str) -> UserError | NotFound:
        """Return what a refusal means."""
        if refused.status in _GONE:
            return NotFound(f"there is no issue {number} in {self._client.repository}")
        return self._client.refusal(refused, doing, _ISSUES)
