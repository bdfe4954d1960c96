"""Who may command: those who may write to the repository, asked of GitHub each time."""

from __future__ import annotations

from urllib.parse import quote

from bot.forge.github_client import GitHubClient, Refused


def may_write(client: GitHubClient, login: str, user_id: int) -> bool:
    """Say whether somebody may write to the repository now.

    https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
    """
    try:
        told = client.get(f"/collaborators/{quote(login, safe='')}/permission")
    except Refused as refused:
        if refused.status == 404:
            return False
        raise client.refusal(refused, "see who may write", "metadata: read") from None
    same = (told.get("user") or {}).get("id") == user_id  # a login may have a new owner
    return same and (told["permission"] in ("admin", "write") or told.get("role_name") == "maintain")
