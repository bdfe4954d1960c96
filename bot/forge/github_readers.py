"""Who has reviewed merged pull requests on GitHub, in few requests."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from bot.forge.github_client import GitHubClient, Refused
from bot.forge.github_records import unmarked
from bot.forge.labels import LABEL_ALL
from bot.forge.permission import may_write

_AT_ONCE = 3  # pull requests that are looked into in one go
_SLACK = timedelta(seconds=10)  # between our last word on a pull request and GitHub's clock
_STATES = ("APPROVED", "COMMENTED", "CHANGES_REQUESTED")


class Readers:
    """Looks for reviews: one request for all that changed, and two for each that did, once in a process."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client
        self._seen: set[tuple[int, str]] = set()  # (number, when it was updated) that hold no review for us
        self._may: dict[tuple[str, int], bool] = {}

    def of(self, pulls: Mapping[int, str]) -> dict[int, str]:
        """See `Forge.reviewed`.

        A review counts as an update of its pull request, and we write nothing there once its experiment is finished.
        """
        try:
            since = {number: datetime.fromisoformat(at) + _SLACK for number, at in pulls.items()}
            listed = self._client.get(
                "/issues",
                state="closed",
                labels=LABEL_ALL,
                since=f"{min(since.values()).astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
                sort="updated",
                per_page=100,
            )
            changed = [
                (record["number"], record["updated_at"])
                for record in listed
                if record["number"] in since
                and datetime.fromisoformat(record["updated_at"].replace("Z", "+00:00"))
                > since[record["number"]]
            ]
            fresh = [each for each in changed if each not in self._seen]
            found = {}
            for number, updated in random.sample(fresh, min(len(fresh), _AT_ONCE)):
                source = self._review(number)
                if source is None:
                    self._seen.add((number, updated))
                else:
                    found[number] = source
            return found
        except Refused as refused:
            raise self._client.refusal(refused, "read reviews", "pull-requests: read") from None

    def _review(self, number: int) -> str | None:
        """Return the name of the first review by a person who may write."""
        for review in self._client.pages(f"/pulls/{number}/reviews"):
            user = review.get("user") or {}
            if unmarked(review) is not None:  # the checker's own, whose token may be a person's
                continue
            if review["state"] in _STATES and user.get("type") == "User" and self._may_write(user):
                return f"review:{review['id']}"
        return None

    def _may_write(self, user: Mapping[str, Any]) -> bool:
        who = (str(user["login"]), int(user["id"]))
        if who not in self._may:
            self._may[who] = may_write(self._client, *who)
        return self._may[who]
