"""Our comments on GitHub, each told apart by its key: what is known of them is not asked for again."""

from __future__ import annotations

from typing import Any

from bot.forge import Comment
from bot.forge.github_client import LAGS, GitHubClient, Refused
from bot.forge.github_records import unmarked


class Comments:
    """Writes and reads our comments. Raises `Refused`."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client
        self._known: dict[int, dict[str, tuple[int, str]]] = {}  # number: {key: (id, text)}

    def opened(self, number: int) -> None:
        """Hear that a pull request is new: there is nothing of ours to look for."""
        self._known[number] = {}

    def read(self, number: int) -> list[Comment]:
        """Return our comments, sorted by key."""
        self._known[number] = self._read_comments(number)
        texts = self._known[number].items()
        return [Comment(key, text.partition("\n")[2]) for key, (_, text) in sorted(texts)]

    def put(self, number: int, key: str, text: str, at: int | None) -> int:
        """Write the comment of ours with this key, or put `text` in its place; return its id. `at` is where it was."""
        if number not in self._known:
            if at is not None and self._rewritten(at, text):
                return at
            self._known[number] = self._read_comments(number)
        known = self._known[number].get(key)
        if known is not None and known[1] == text:
            return known[0]
        if known is not None:
            if self._rewritten(known[0], text):
                self._known[number][key] = (known[0], text)
                return known[0]
            del self._known[number][key]  # somebody deleted it
        record = self._client.request(
            "POST", f"/issues/{number}/comments", {"body": text}, look=lambda: self._look(number, key)
        )
        self._known[number][key] = (record["id"], text)
        return int(record["id"])

    def _rewritten(self, comment: int, text: str) -> bool:
        """Put `text` in the place of what a comment says; False if it is there no more."""
        try:
            self._client.request("PATCH", f"/issues/comments/{comment}", {"body": text})
        except Refused as refused:
            if refused.status != 404:
                raise
            return False
        return True

    def _look(self, number: int, key: str) -> Any:
        """Return the comment that may or may not have been written just now. A lagging list is read again."""
        for pause in (0.0, *LAGS[:2]):
            self._client.sleep(pause)
            found = self._read_comments(number).get(key)
            if found is not None:
                return {"id": found[0]}
        return None

    def _read_comments(self, number: int) -> dict[str, tuple[int, str]]:
        """Return {key: (id, text)} of our comments; the oldest counts where there are two of a key."""
        ours: dict[str, tuple[int, str]] = {}
        for record in self._client.pages(f"/issues/{number}/comments"):
            read = unmarked(record)
            if read is not None:
                ours.setdefault(read[0], (record["id"], record["body"]))
        return ours
