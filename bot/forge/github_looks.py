"""Looks at pull requests on GitHub, in one GraphQL query each: those have a budget of their own beside REST's.

https://docs.github.com/en/graphql/reference/objects#pullrequest. If GraphQL refuses or does not answer, REST is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.forge import PullRequest
from bot.forge.github_client import GitHubClient, Refused
from bot.forge.github_records import pull_of

_FIELDS = (
    """number title body state url headRefName headRefOid baseRefName labels(first: 100) { nodes { name } }"""
)
ONE = f"""query($owner: String!, $name: String!, $number: Int!) {{
  repository(owner: $owner, name: $name) {{ pullRequest(number: $number) {{ {_FIELDS} }} }}
}}"""
OPEN = f"""query($owner: String!, $name: String!, $base: String!) {{
  repository(owner: $owner, name: $name) {{
    pullRequests(states: OPEN, baseRefName: $base, first: 100, orderBy: {{field: UPDATED_AT, direction: DESC}}) {{
      nodes {{ {_FIELDS} }}
    }}
  }}
}}"""


class Looks:
    """Reads pull requests as they are. Raises `Refused`."""

    def __init__(self, client: GitHubClient) -> None:
        self._client = client
        self._refused = False

    def at(self, number: int) -> PullRequest:
        """Return one pull request."""
        found = self._ask(ONE, number=number)
        if found is not None and found.get("pullRequest") is not None:
            return _pull(found["pullRequest"])
        return pull_of(self._client.get(f"/pulls/{number}"))

    def open_into(self, base: str) -> list[PullRequest]:
        """Return the open pull requests into a branch, a hundred at most, those that changed last."""
        found = self._ask(OPEN, base=base)
        if found is not None:
            return [_pull(node) for node in found["pullRequests"]["nodes"]]
        listed = self._client.get(
            "/pulls", state="open", base=base, sort="updated", direction="desc", per_page=100
        )
        return [pull_of(record) for record in listed]

    def _ask(self, query: str, **variables: str | int) -> dict[str, Any] | None:
        """Return what a query says of the repository, None if that is nothing. If one is refused, no other is tried."""
        if self._refused:
            return None
        owner, _, name = self._client.repository.partition("/")
        try:
            found = self._client.graphql(query, owner=owner, name=name, **variables).get("repository")
        except Refused:
            self._refused = True
            return None
        return found if isinstance(found, dict) else None


def _pull(node: Mapping[str, Any]) -> PullRequest:
    """Return the pull request of a query's node."""
    state = node["state"].lower()
    record = {
        "number": node["number"],
        "title": node["title"],
        "body": node["body"],
        "state": state,
        "merged_at": node["state"] if state == "merged" else None,
        "head": {"ref": node["headRefName"], "sha": node["headRefOid"]},
        "base": {"ref": node["baseRefName"]},
        "html_url": node["url"],
        "labels": node["labels"]["nodes"],
    }
    return pull_of(record)
