"""Who closed, reopened and labelled a pull request on GitHub, and whether they may write."""

from __future__ import annotations

from typing import get_args

from bot.forge import Deed, DeedKind
from bot.forge.github_client import GitHubClient
from bot.forge.permission import may_write


def deeds_on(client: GitHubClient, number: int) -> list[Deed]:
    """Return what was done to a pull request, first to last. An account that is gone may write, as it could then.

    What an app or a workflow did is nobody's word. Raises `Refused`.
    https://docs.github.com/en/rest/issues/events#list-issue-events
    """
    may: dict[int, bool] = {}
    found: list[Deed] = []
    for event in client.pages(f"/issues/{number}/events"):
        if event["event"] not in get_args(DeedKind):
            continue
        actor = event.get("actor") or {}
        who, name = int(actor.get("id", 0)), str(actor.get("login", ""))
        if who not in may:
            may[who] = not actor or (actor.get("type") == "User" and may_write(client, name, who))
        label = str((event.get("label") or {}).get("name", ""))
        found.append(Deed(int(event["id"]), event["event"], name, may[who], label))
    return found
