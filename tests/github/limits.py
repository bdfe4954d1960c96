"""Rate limits: so many calls an hour, so many writes a minute.

https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from tests.github.records import Token
from tests.github.rules import SECONDARY, Refused

HOUR = 3600


@dataclass
class Bucket:
    """The calls of one hour: of a user's tokens together, or of all workflow tokens of a repository."""

    limit: int
    used: int = 0
    reset: float = field(default_factory=lambda: time.time() + HOUR)

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


@dataclass
class Limits:
    """What is allowed; None turns a limit off. The secondary one is off unless a test sets it."""

    user: int = 5000
    workflow: int = 1000
    anonymous: int = 60
    writes_per_minute: int | None = None  # GitHub's is 80
    retry_after: int = 60  # what the secondary limit asks to wait
    _buckets: dict[str, Bucket] = field(default_factory=dict)
    _writes: deque[float] = field(default_factory=lambda: deque(maxlen=10_000))

    def bucket(self, token: Token | None, resource: str = "core") -> Bucket:
        """Return the bucket that `token` draws from; queries of GraphQL have one of their own, as large."""
        if token is None:
            key, limit = "", self.anonymous
        elif token.kind == "workflow":
            key, limit = f"repository {token.repository}", self.workflow
        else:
            key, limit = f"user {token.user.login}", self.user
        key = f"{resource} {key}"
        bucket = self._buckets.get(key)
        if bucket is None or bucket.reset <= time.time():
            bucket = self._buckets[key] = Bucket(limit)
        bucket.limit = limit
        return bucket

    def leave(self, token: Token | None, remaining: int, reset_in: float = HOUR) -> None:
        """Let `token` have `remaining` calls left until the hour ends, `reset_in` seconds from now."""
        bucket = self.bucket(token)
        bucket.used = max(0, bucket.limit - remaining)
        bucket.reset = time.time() + reset_in

    def spend(self, token: Token | None, write: bool, resource: str = "core") -> None:
        """Count one call; raise `Refused` where a limit is met."""
        bucket = self.bucket(token, resource)
        if bucket.remaining == 0:
            who = f"user ID {token.user.id}" if token else "127.0.0.1"
            raise Refused(403, f"API rate limit exceeded for {who}.")
        bucket.used += 1
        if not write or self.writes_per_minute is None:
            return
        now = time.time()
        while self._writes and self._writes[0] <= now - 60:
            self._writes.popleft()
        if len(self._writes) >= self.writes_per_minute:
            raise Refused(403, SECONDARY, {"retry-after": str(self.retry_after)})
        self._writes.append(now)

    def refund(self, token: Token | None) -> None:
        """Take one call back: an answer that nothing changed is free."""
        bucket = self.bucket(token)
        bucket.used = max(0, bucket.used - 1)

    def headers(self, token: Token | None, resource: str = "core") -> dict[str, str]:
        """Return the headers that every answer carries."""
        bucket = self.bucket(token, resource)
        return {
            "x-ratelimit-limit": str(bucket.limit),
            "x-ratelimit-remaining": str(bucket.remaining),
            "x-ratelimit-used": str(bucket.used),
            "x-ratelimit-reset": str(int(bucket.reset)),
            "x-ratelimit-resource": resource,
        }
