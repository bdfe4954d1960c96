"""Reviews on GitHub: remarks on the lines of a pull request's diff, in one request.

https://docs.github.com/en/rest/pulls/reviews. Always of the kind COMMENT: nobody may approve a pull request that
they opened, and GitHub lets workflows approve none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.forge import BODY_LIMIT, Review, cut, github_client
from bot.forge.github_client import GitHubClient, Refused
from bot.forge.github_records import marked, plain, unmarked

_LAGS = 4  # looks at a commit that was pushed just now


class Reviews:
    """Our reviews of a repository's pull requests. What only we write is remembered, and asked for once."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client
        self._known: dict[int, set[str]] = {}  # keys by number

    def opened(self, number: int) -> None:
        """Hear that a pull request is new: there is nothing of ours to look for."""
        self._known[number] = set()

    def put(self, number: int, sha: str, review: Review, instead: str) -> None:
        """See `Forge.review_pull`. Raises `Refused`."""
        if number not in self._known:
            self._known[number] = {read[0] for record in self._records(number) if (read := unmarked(record))}
        if review.key in self._known[number]:
            return
        comments = [
            {"path": each.path, "line": each.line, "side": "RIGHT", "body": cut(plain(each.body), BODY_LIMIT)}
            for each in review.comments
        ]
        wanted = {"commit_id": sha, "event": "COMMENT", "body": marked(review.key, review.body)}
        try:
            self._post(number, review.key, wanted | ({"comments": comments} if comments else {}))
        except Refused as refused:
            if refused.status != 422 or not comments:
                raise
            # GitHub takes all of it or nothing: a diff too long to be shown has no lines to comment on.
            self._post(number, review.key, wanted | {"body": marked(review.key, instead)})
        self._known[number].add(review.key)

    def _post(self, number: int, key: str, wanted: Mapping[str, Any]) -> None:
        for left in range(_LAGS - 1, -1, -1):
            try:
                self._client.request(
                    "POST", f"/pulls/{number}/reviews", wanted, look=lambda: self._look(number, key)
                )
                return
            except Refused as refused:
                if refused.status != 422 or "No commit found" not in refused.said or not left:
                    raise
            self._client.sleep(github_client.PAUSE * (_LAGS - left))

    def _look(self, number: int, key: str) -> Mapping[str, Any] | None:
        """Return the review that may or may not have been written just now. A lagging list is read again."""
        for pause in (0.0, github_client.PAUSE, 2 * github_client.PAUSE):
            self._client.sleep(pause)
            for record in self._records(number):
                read = unmarked(record)
                if read is not None and read[0] == key:
                    return record
        return None

    def _records(self, number: int) -> list[dict[str, Any]]:
        return self._client.pages(f"/pulls/{number}/reviews")
