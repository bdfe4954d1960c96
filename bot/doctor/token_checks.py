"""What a token may do on GitHub, asked of GitHub itself and without effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.doctor.finding import Finding, amber, green, red
from bot.forge.github_client import GitHubClient, Refused
from bot.github.workflows import WORKFLOW_PATH

TOKEN, RIGHTS = "GitHub: token", "GitHub: permissions"
SETTING = "not permitted to create or approve pull requests"  # so GitHub words its refusal by that setting
_NOBODY = "0" * 40  # a commit that no repository has
_OPTIONAL = "checks: write"
_NOWHERE = "nocturne/doctor/no-such-branch"
_KINDS = {
    "ghs_": "a workflow's or an App's token",
    "github_pat_": "a fine-grained personal token",
    "ghp_": "a classic personal token",
    "gho_": "a token of GitHub's command line",
}
_WORKFLOW = WORKFLOW_PATH.rpartition("/")[2]


@dataclass(frozen=True)
class Probe:
    """A write that GitHub must refuse as senseless: 422 from those who may do such things, 403 or 404 else."""

    permission: str
    path: str
    body: Mapping[str, Any]


def seen(client: GitHubClient, token: str) -> tuple[dict[str, Any] | None, Finding]:
    """Return the repository as the token sees it, None if it doesn't, and the finding."""
    kind = next((name for prefix, name in _KINDS.items() if token.startswith(prefix)), "a token")
    try:
        repository = client.get("")
    except Refused as refused:
        return None, red(TOKEN, str(client.refusal(refused, "read the repository", "metadata: read")))
    held = repository.get("permissions") or {}
    roles = ("admin", "maintain", "push", "triage", "pull")
    role = next((name for name in roles if held.get(name)), None)
    # What an App or a workflow may do is no role.
    by = f", whose owner has the role {role}" if role and not token.startswith("ghs_") else ""
    return repository, green(TOKEN, f"{kind} reads {client.repository}{by}")


def rights(client: GitHubClient, base: str, *, has_workflow: bool, is_app: bool) -> Finding:
    """Say which of the permissions that the loop needs are there.

    GitHub tells nobody what a token may do, but it looks at permissions before it looks at the request. So
    each probe is a write that can't have an effect: to a commit, from a branch or on a branch that does not
    exist, or of an issue without a title.
    """
    probes = [
        Probe("contents: write", "/git/refs", {"ref": f"refs/heads/{_NOWHERE}", "sha": _NOBODY}),
        Probe(
            "pull-requests: write",
            "/pulls",
            {"title": "Nocturne's doctor asks", "head": _NOWHERE, "base": base},
        ),
        Probe("issues: write", "/issues", {"body": "Nocturne's doctor asks"}),  # an issue needs a title
        Probe("statuses: write", f"/statuses/{_NOBODY}", {"state": "pending", "context": "nocturne/doctor"}),
    ]
    if has_workflow:
        path = f"/actions/workflows/{_WORKFLOW}/dispatches"
        probes.append(Probe("actions: write", path, {"ref": _NOWHERE}))
    if is_app:  # a person's token never has it, and is not the one that the workflow works with
        report = {"name": "nocturne/doctor", "head_sha": _NOBODY}
        probes.append(Probe(_OPTIONAL, "/check-runs", report))
    lacking = [probe.permission for probe in probes if not _may(client, probe)]
    there = [probe.permission for probe in probes if probe.permission not in lacking]
    unasked = "" if has_workflow else "; actions: write can't be asked before the workflow is there"
    if not lacking:
        return green(RIGHTS, f"{', '.join(there)}{unasked}")
    if lacking == [_OPTIONAL]:
        return amber(
            RIGHTS,
            f"{', '.join(there)}, and not {_OPTIONAL}: pull requests go without nocturne/report{unasked}",
            f"add `{_OPTIONAL}` under `permissions:` in the workflow",
        )
    said = f"lacks {', '.join(lacking)}; has {', '.join(there) or 'none of the others'}{unasked}"
    fix = "add that under `permissions:` in the workflow, or in the token's own settings on GitHub"
    return red(RIGHTS, said, fix)


def _may(client: GitHubClient, probe: Probe) -> bool:
    try:
        client.request("POST", probe.path, probe.body)
    except Refused as refused:
        return refused.status not in (401, 403, 404) or SETTING in refused.message
    return True
