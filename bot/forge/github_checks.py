"""Check runs on GitHub: the full report on a commit, where the token may write one.

https://docs.github.com/en/rest/checks/runs
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import astuple
from typing import Any

from bot.forge import REPORT_LIMIT, Report, cut, github_client
from bot.forge.github_client import GitHubClient, Refused
from bot.forge.github_records import plain, title_of


class Checks:
    """The check runs of a repository. A token that may not write them is told of once, and asked no more.

    GitHub's `external_id` keeps a digest of what a check run says, so that the same is not written twice.
    """

    def __init__(self, client: GitHubClient, on_note: Callable[[str], None]) -> None:
        self._client = client
        self._on_note = on_note
        self._refused = False
        self._begun: set[tuple[str, str]] = set()  # commits and names that we tried to report on
        self._said: dict[tuple[str, str], tuple[int, str]] = {}  # number, and the digest of what it says now

    def put(self, sha: str, report: Report, *, at: int | None, is_new: bool) -> int | None:
        """See `Forge.put_report`."""
        key, digest = (sha, report.name), _digest(report)
        if self._refused:
            return None
        number, said = self._said.get(key, (at, ""))
        if number is not None and said == digest:
            return number
        try:
            number = self._write(sha, report, digest, number, look=not is_new or key in self._begun)
        except Refused as refused:
            if refused.status not in (403, 404):
                raise self._client.refusal(refused, "write check runs", "checks: write") from None
            self._refused = True
            self._on_note(
                f"GitHub does not let the token write check runs ({refused.said}): pull requests go without"
                " nocturne/report; `checks: write` under `permissions:` in the workflow allows them"
            )
            return None
        self._said[key] = (number, digest)
        return number

    def _write(self, sha: str, report: Report, digest: str, at: int | None, *, look: bool) -> int:
        over = report.conclusion is not None
        wanted: dict[str, Any] = {
            "status": "completed" if over else "in_progress",
            **({"conclusion": report.conclusion} if over else {}),
            "external_id": digest,
            **({"details_url": report.link} if report.link else {}),
            "output": {
                "title": title_of(report.title),
                "summary": cut(plain(report.summary), REPORT_LIMIT),
                "text": cut(plain(report.text), REPORT_LIMIT),
            },
        }
        found = self._find(sha, report.name) if at is None and look else None
        self._begun.add((sha, report.name))
        if found is not None:
            at = int(found["id"])
            if found["external_id"] == digest:
                return at
        if at is not None:
            try:
                self._client.request("PATCH", f"/check-runs/{at}", wanted)
            except Refused as refused:
                if refused.status not in (403, 404):  # else another app made it, who alone may change it
                    raise
            else:
                return at
        new = wanted | {"name": report.name, "head_sha": sha}
        made = self._client.request("POST", "/check-runs", new, look=lambda: self._look(sha, report.name))
        return int(made["id"])

    def _look(self, sha: str, name: str) -> Mapping[str, Any] | None:
        """Return the check run that may or may not have been made just now. A lagging list is read again."""
        for pause in (0.0, github_client.PAUSE, 2 * github_client.PAUSE):
            self._client.sleep(pause)
            found = self._find(sha, name)
            if found is not None:
                return found
        return None

    def _find(self, sha: str, name: str) -> Mapping[str, Any] | None:
        listed = self._client.get(f"/commits/{sha}/check-runs", per_page=100, check_name=name)
        return next(iter(listed["check_runs"]), None)


def _digest(report: Report) -> str:
    return hashlib.sha256(json.dumps(astuple(report)).encode()).hexdigest()[:20]
