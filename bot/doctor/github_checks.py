"""What the repository on GitHub is set to: Actions, the workflow, its runners, who can reach them, branches."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from bot import __version__
from bot.config import CONFIG_PATH
from bot.doctor.cuts_checks import CUTS, cuts
from bot.doctor.finding import Finding, amber, attempt, examine, green, red
from bot.doctor.token_checks import RIGHTS, TOKEN, rights, seen
from bot.forge.github_client import GitHubClient, Refused
from bot.github.workflows import COMMANDS_PATH, WORKFLOW_PATH, written_by

ACTIONS, WORKFLOW, RUNNERS = "GitHub: Actions", "GitHub: workflow", "GitHub: runner"
COMMANDS = "GitHub: commands"
VISIBILITY, BRANCHES = "GitHub: visibility", "GitHub: branches"
_FILE = WORKFLOW_PATH.rpartition("/")[2]
_GENERAL = "Settings, Actions, General"
# Rules by which a branch is closed to pushes like ours; the value says to which of our branches they matter.
# https://docs.github.com/en/rest/repos/rules#get-rules-for-a-branch
_BARS = {
    "creation": "all",
    "update": "all",
    "deletion": "experiments",
    "non_fast_forward": "experiments",
    "pull_request": "all",
    "required_status_checks": "all",
    "required_signatures": "all",
    "required_deployments": "all",
    "merge_queue": "all",
}


def github(
    client: GitHubClient,
    token: str,
    *,
    base: str,
    campaign: str,
    allow_public_runner: bool,
    cuts_seen: str | None = None,
) -> list[Finding]:
    """Examine the repository of `client`, as far as `token` may see. Changes nothing.

    `cuts_seen` is what the newest run told of its cuts, "" if it asked none; None if the task can have none.
    """
    told, findings = attempt(TOKEN, lambda: seen(client, token))
    repository, found = told or (None, None)
    findings += [found] if found is not None else []
    if repository is None:
        return findings
    read, failed = attempt(WORKFLOW, lambda: _workflow(client, repository))
    file, found = read or (None, None)
    findings += failed if found is None else [found]
    has_workflow = file is not None
    is_app = token.startswith("ghs_")
    findings += examine(RIGHTS, lambda: [rights(client, base, has_workflow=has_workflow, is_app=is_app)])
    if has_workflow:
        findings += examine(COMMANDS, lambda: _commands(client, repository))
    findings += examine(ACTIONS, lambda: [_actions(client, file)])
    findings += examine(RUNNERS, lambda: [_runners(client, repository, file)])
    findings += examine(VISIBILITY, lambda: [_visibility(repository, file, allow_public_runner)])
    findings += examine(BRANCHES, lambda: [_branches(client, campaign)])
    if cuts_seen is not None and file is not None:
        findings += examine(CUTS, lambda: [cuts(client, repository, file.text, cuts_seen)])
    return findings


def _workflow(client: GitHubClient, repository: dict[str, Any]) -> tuple[WorkflowFile | None, Finding]:
    branch = str(repository.get("default_branch"))
    try:
        state = str(client.get(f"/actions/workflows/{_FILE}").get("state"))
        answer = client.get(f"/contents/{WORKFLOW_PATH}", ref=branch)
    except Refused as refused:
        if refused.status == 404:
            fix = "`nocturne init --github` writes it: commit and push it to that branch"
            said = f"{WORKFLOW_PATH} is not on {branch}: nothing runs on GitHub by itself"
            return None, amber(WORKFLOW, said, fix)
        return None, _unseen(WORKFLOW, refused, "actions: read` and `contents: read")
    text = base64.b64decode(answer.get("content") or "").decode(errors="replace")
    file = WorkflowFile(state, labels_of(text), text)
    if not file.labels:
        said = f"{WORKFLOW_PATH} on {branch} does not say which runner trains"
        return file, amber(WORKFLOW, said, "delete it and let `nocturne init --github` write it anew")
    if state != "active":
        fix = "enable it on the Actions page: GitHub turns schedules off after 60 idle days"
        return file, red(WORKFLOW, f"{WORKFLOW_PATH} is on {branch} and its state is {state}", fix)
    if _is_older(written_by(text)):
        said = f"{WORKFLOW_PATH} on {branch} was written by version {written_by(text)}, this is {__version__}"
        return file, amber(WORKFLOW, said, "delete it and let `nocturne init --github` write it anew")
    return file, green(WORKFLOW, f"{WORKFLOW_PATH} is on {branch} and active")


def _is_older(version: str) -> bool:
    """Whether a version is one before ours; that of a commit without a version is not known."""
    return bool(version) and [*map(int, version.split("."))] < [
        *map(int, re.findall(r"[0-9]+", __version__)[:3])
    ]


def _commands(client: GitHubClient, repository: dict[str, Any]) -> list[Finding]:
    """Say whether the workflow of commands, if there is one, hears at once what people do to pull requests by hand."""
    branch = str(repository.get("default_branch"))
    later = "experiments' pull requests are looked at before they land, and no earlier"
    try:
        answer = client.get(f"/contents/{COMMANDS_PATH}", ref=branch)
    except Refused as refused:
        return [] if refused.status == 404 else [_unseen(COMMANDS, refused, "contents: read")]
    text = base64.b64decode(answer.get("content") or "").decode(errors="replace")
    if "pull_request:" not in text:
        said = f"{COMMANDS_PATH} is of an earlier version and hears no gestures (close, reopen, push, label): {later}"
        return [amber(COMMANDS, said, "delete it and let `nocturne init --github` write it anew")]
    return [green(COMMANDS, f"{COMMANDS_PATH} is on {branch} and hears comments and gestures")]


def _actions(client: GitHubClient, file: WorkflowFile | None) -> Finding:
    try:
        enabled = client.get("/actions/permissions").get("enabled")
        may_open = client.get("/actions/permissions/workflow").get("can_approve_pull_request_reviews")
    except Refused as refused:
        return _unseen(ACTIONS, refused, "administration: read")
    bad = red if file is not None else amber  # without a workflow nobody suffers from it
    if not enabled:
        return bad(ACTIONS, "Actions is off in this repository", f"allow it under {_GENERAL}")
    if not may_open:
        fix = f"{_GENERAL}, Workflow permissions: allow GitHub Actions to create and approve pull requests"
        return bad(ACTIONS, "a workflow's own token may not open pull requests", fix)
    return green(ACTIONS, "on, and a workflow's own token may open pull requests")


def _runners(client: GitHubClient, repository: dict[str, Any], file: WorkflowFile | None) -> Finding:
    if file is None or not file.labels:
        return amber(
            RUNNERS, "not measured: no workflow says which labels it wants", "see the workflow above"
        )
    wanted = ", ".join(file.labels)
    if file.is_hosted:
        return amber(
            RUNNERS, f"the workflow trains on GitHub's own machines ({wanted})",
            "fine for a trial; a GPU of yours needs `nocturne init --github --runs-on`",
        )  # fmt: skip
    try:
        listed = client.get("/actions/runners", per_page=100).get("runners") or []
    except Refused as refused:
        return _unseen(RUNNERS, refused, "administration: read")
    fitting = [runner for runner in listed if _has(runner, file.labels)]
    online = [str(runner.get("name")) for runner in fitting if runner.get("status") == "online"]
    if online:
        return green(RUNNERS, f"{', '.join(online)} online with {wanted}")
    if fitting:
        names = ", ".join(str(runner.get("name")) for runner in fitting)
        return red(RUNNERS, f"{names} has the labels {wanted} and is offline", "start its runner service")
    said = f"{len(listed)} registered in this repository, none with the labels {wanted}"
    if (repository.get("owner") or {}).get("type") == "Organization":
        fix = "look whether the organisation lends one: its runners can't be seen from here"
        return amber(RUNNERS, said, fix)
    return red(
        RUNNERS, said, "register one under Settings, Actions, Runners, or change the workflow's labels"
    )


def _has(runner: dict[str, Any], labels: Sequence[str]) -> bool:
    held = {str(label.get("name")).lower() for label in runner.get("labels") or []}
    return {label.lower() for label in labels} <= held


def _visibility(repository: dict[str, Any], file: WorkflowFile | None, allowed: bool) -> Finding:
    if repository.get("private"):
        return green(
            VISIBILITY, f"{repository.get('visibility') or 'private'}: strangers can't reach its runners"
        )
    if file is None:
        return green(VISIBILITY, "public, and no workflow of Nocturne's asks for a runner")
    if file.is_hosted:
        return green(VISIBILITY, "public, and its jobs run on GitHub's own machines")
    said = (
        "public: a pull request from a fork may run its own code on a self-hosted runner of this repository"
    )
    if allowed:
        fix = f"{_GENERAL}: require approval for all external contributors"
        return amber(VISIBILITY, f"{said}; {CONFIG_PATH} allows it (github.allow_public_runner)", fix)
    fix = (
        f"make the repository private, or require approval for all external contributors ({_GENERAL}) and set"
        f" github.allow_public_runner in {CONFIG_PATH}"
    )
    return red(VISIBILITY, said, fix)


def _branches(client: GitHubClient, campaign: str) -> Finding:
    """Look for rules and protections on the branches that the loop pushes to; the default branch is none of them."""
    ours = {
        f"nocturne/{campaign}": "campaign",
        "nocturne/ledger": "ledger",
        f"nocturne/exp/{campaign}/1": "experiments",
    }
    try:
        rules = {branch: _rules(client, branch) for branch in ours}
        listed = client.pages("/branches", protected="true")
    except Refused as refused:
        return _unseen(BRANCHES, refused, "contents: read")
    barred = bars(ours, rules, [str(branch.get("name")) for branch in listed if branch.get("protected")])
    if barred:
        fix = "Settings, Rules (or Branches): leave `nocturne/**/*` out, or let the token's owner bypass them"
        return red(BRANCHES, f"rules bar the loop from its own branches: {'; '.join(barred)}", fix)
    return green(
        BRANCHES, "nothing bars the loop from its own branches (nocturne/...), and it pushes to no other"
    )


def _rules(client: GitHubClient, branch: str) -> list[str]:
    """Return the types of the rules for a branch, less those that the token's owner may always bypass."""
    rules = client.get(f"/rules/branches/{branch}", per_page=100)
    bypassed = set()
    for number in {rule.get("ruleset_id") for rule in rules}:
        try:
            if client.get(f"/rulesets/{number}").get("current_user_can_bypass") in ("always", "exempt"):
                bypassed.add(number)
        except Refused:
            continue  # who may not look may not bypass, for all we know
    return [str(rule.get("type")) for rule in rules if rule.get("ruleset_id") not in bypassed]


def bars(ours: Mapping[str, str], rules: Mapping[str, Sequence[str]], protected: Sequence[str]) -> list[str]:
    """Return what bars pushes like the loop's: `ours` maps branches to what they are, `rules` to types of rules."""
    found = []
    for branch, kind in ours.items():
        names = sorted({rule for rule in rules.get(branch, ()) if _BARS.get(rule) in ("all", kind)})
        found += [f"{branch}: {', '.join(names)}"] if names else []
    return found + [f"{name}: protected" for name in protected if name.startswith("nocturne/")]


def _unseen(condition: str, refused: Refused, permission: str) -> Finding:
    said = f"can't be seen with this token ({refused.status} {refused.said})"
    return amber(condition, said, f"run `nocturne doctor` with a token that has `{permission}`")


_HOSTED = ("ubuntu-", "windows-", "macos-")


@dataclass(frozen=True)
class WorkflowFile:
    """Nocturne's workflow on the default branch: whether it runs, the labels of the runner that trains, its text."""

    state: str
    labels: tuple[str, ...]
    text: str = ""

    @property
    def is_hosted(self) -> bool:
        """Whether GitHub's own machines run it, which nobody else's pull request can harm."""
        return any(label.lower().startswith(_HOSTED) for label in self.labels)


def labels_of(text: str) -> tuple[str, ...]:
    """Return the labels of the runner that trains, as a workflow that `nocturne init` wrote has them; () if none."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        return ()
    jobs = document.get("jobs") if isinstance(document, dict) else None
    for job in jobs.values() if isinstance(jobs, dict) else ():
        if not isinstance(job, dict):
            continue
        inputs = job.get("with")
        wanted = inputs.get("train-on") if isinstance(inputs, dict) else None
        wanted = wanted or job.get("runs-on")
        if isinstance(wanted, str) and wanted.startswith("["):
            try:
                wanted = json.loads(wanted)
            except ValueError:
                continue
        if isinstance(wanted, str):
            wanted = [wanted]
        if isinstance(wanted, list) and wanted:
            return tuple(str(label) for label in wanted)
    return ()
