"""How many requests GitHub still lets a token make this hour: what is left is spread before it is used up.

GitHub says so in each answer. https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

from collections.abc import Mapping

RESERVE = 0.1  # of an hour's requests: from there on they are spread over what is left of it
MOST = 900.0  # seconds before one request


class Budget:
    """What one token has left, as the newest answer of the REST API says it."""

    def __init__(self) -> None:
        self.limit, self.left, self.reset = 0, 0, 0.0

    def take(self, headers: Mapping[str, str]) -> None:
        """Hear what an answer's `headers`, named in small letters, say. Other budgets, such as GraphQL's, are passed
        over."""
        said = [headers.get(f"x-ratelimit-{name}", "") for name in ("limit", "remaining", "reset")]
        if headers.get("x-ratelimit-resource", "core") == "core" and all(each.isdigit() for each in said):
            self.limit, self.left, self.reset = int(said[0]), int(said[1]), float(said[2])

    def pause(self, now: float) -> float:
        """Return how many seconds to wait before the next request, at `now` (seconds since 1970).

        Nothing at all as long as more than the reserve is left, or once the hour is over.
        """
        ahead = self.reset - now
        if ahead <= 0 or self.left >= self.limit * RESERVE:
            return 0.0
        return min(ahead / (self.left + 1), MOST)
