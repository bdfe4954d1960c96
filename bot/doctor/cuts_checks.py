"""Whether the jobs of a repository on GitHub have the secret of the cuts."""

from __future__ import annotations

from typing import Any

from bot.doctor.finding import Finding, amber, green
from bot.forge.github_client import GitHubClient, Refused
from bot.github.cuts import SECRET, SET_IT
from bot.github.workflows import WORKFLOW_PATH

CUTS = "GitHub: cuts"


def cuts(client: GitHubClient, repository: dict[str, Any], workflow: str, seen: str) -> Finding:
    """Return what is found: the text of the `workflow` must pass the secret on, and the repository must have it.

    `seen` is what the newest run on the ledger told of its cuts, "" if it asked none.
    """
    if SECRET not in workflow:
        fix = f"delete {WORKFLOW_PATH}, let `nocturne init --github` write it anew, then run `{SET_IT}`"
        return amber(CUTS, f"none: {WORKFLOW_PATH} passes no secret {SECRET} on to its jobs", fix)
    try:
        listed = client.get("/actions/secrets", per_page=100).get("secrets") or []
    except Refused:
        known = f"the workflow passes {SECRET} on; whether it is set can't be seen with this token"
        return green(CUTS, seen or known)
    if seen or any(secret.get("name") == SECRET for secret in listed):
        return green(CUTS, seen or f"{SECRET} is set; the first scores say how large a cheat is caught")
    fix = f"run `{SET_IT}`"
    if (repository.get("owner") or {}).get("type") == "Organization":
        fix += ", or look whether the organisation lends one: its secrets can't be seen from here"
    return amber(CUTS, f"none: this repository has no secret {SECRET}", fix)
