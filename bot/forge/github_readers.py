"""Who has reviewed or liked merged pull requests on GitHub, in few requests."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.forge.github_client import GitHubClient, Refused
from bot.forge.github_records import unmarked
from bot.forge.labels import LABEL_ALL
from bot.forge.permission import may_write

_AT_ONCE = 3  # pull requests that are looked into in one go
_STATES = ("APPROVED", "COMMENTED", "CHANGES_REQUESTED")


class Readers:
    """Looks for reviews and thumbs-up: one request for all pull requests, and two for each that has news, once in a
    process."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client
        # Number, when it was updated, and thumbs, of those with nothing for us.
        self._seen: set[tuple[int, str, int]] = set()
        self._may: dict[tuple[str, int], bool] = {}

    def of(self, pulls: Mapping[int, str], *, all: bool = False) -> dict[int, str]:
        """See `Forge.reviewed`.

        A review counts as an update of its pull request, and we write nothing there once its experiment is finished; a
        reaction is none, and only the number of them is in the list. If GitHub's clock is ahead of ours, our own last
        word is looked into once, too.
        """
        try:
            since = {number: datetime.fromisoformat(at) for number, at in pulls.items()}
            listed = self._client.get(
                "/issues",
                state="closed",
                labels=LABEL_ALL,
                sort="updated",
                per_page=100,
            )
            ours = [record for record in listed if record["number"] in since]
            news = [(record["number"], record["updated_at"], record["reactions"]["+1"]) for record in ours]
            late = {number for number, updated, _ in news if _time(updated) > since[number]}
            fresh = [each for each in news if each not in self._seen and (each[0] in late or each[2])]
            found = {}
            most = len(fresh) if all else min(len(fresh), _AT_ONCE)
            for number, updated, thumbs in random.sample(fresh, most):
                source = (self._review(number) if number in late else None) or (
                    self._thumb(number) if thumbs else None
                )
                if source is None:
                    self._seen.add((number, updated, thumbs))
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

    def _thumb(self, number: int) -> str | None:
        """Return the name of the first thumbs-up by a person who may write."""
        for reaction in self._client.pages(f"/issues/{number}/reactions", content="+1"):
            user = reaction.get("user") or {}
            if user.get("type") == "User" and self._may_write(user):
                return f"thumbs_up:{reaction['id']}"
        return None

    def _may_write(self, user: Mapping[str, Any]) -> bool:
        who = (str(user["login"]), int(user["id"]))
        if who not in self._may:
            self._may[who] = may_write(self._client, *who)
        return self._may[who]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
