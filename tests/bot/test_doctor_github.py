"""`nocturne doctor` on GitHub: tokens and repositories in several states, and nothing changed by looking."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import __version__
from bot.config import CONFIG_PATH
from bot.doctor.cuts_checks import CUTS, cuts
from bot.doctor.finding import Finding
from bot.doctor.github_checks import (
    ACTIONS,
    BRANCHES,
    COMMANDS,
    RUNNERS,
    VISIBILITY,
    WORKFLOW,
    bars,
    github,
    labels_of,
)
from bot.doctor.token_checks import RIGHTS, TOKEN
from bot.forge.github_client import GitHubClient
from bot.github.workflows import COMMANDS_PATH, WORKFLOW_PATH, Form, caller, commands_caller
from tests.bot.repositories import CONFIG, git, make_repository, nocturne
from tests.families import few
from tests.github.server import GitHub, Repository, serve

SHARED = "remote: origin\n"
ACTION = "nocturne/nocturne@" + "1" * 40
NEEDED = ("contents", "pull-requests", "issues", "statuses", "actions")
ENOUGH = dict.fromkeys((*NEEDED, "checks"), "write")


def workflow(form: Form = "one", labels: tuple[str, ...] = ("self-hosted", "gpu")) -> str:
    return caller(form=form, action=ACTION, campaign="main", labels=labels, config=CONFIG_PATH)


class Home:
    """octo/models on a server of its own, healthy as long as a test does not change it, and a clone."""

    def __init__(self, folder: Path, server: GitHub) -> None:
        self.server = server
        self.repository: Repository = server.repository("octo/models", private=True)
        self.repository.runner("h100", labels=("self-hosted", "Linux", "GPU"))
        self.top = make_repository(
            folder / "repo", config=CONFIG, files={".github/workflows/nocturne.yml": workflow()}, shared=True
        )
        git(self.top, "remote", "add", "origin", f"{server.server_url}/octo/models.git")
        self.push()

    def push(self) -> None:
        git(self.top, "push", "--quiet", str(self.repository.path), "HEAD:refs/heads/main")
        self.repository.sync()

    def put(self, path: str, text: str | None) -> None:
        """Change a file on the default branch, or remove it."""
        if text is None:
            (self.top / path).unlink()
        else:
            (self.top / path).write_text(text)
        git(self.top, "commit", "--quiet", "--all", "--message", "change")
        self.push()

    def workflow_token(self, **permissions: str) -> str:
        given = {name.replace("_", "-"): level for name, level in permissions.items()}
        return self.server.token("github-actions[bot]", "workflow", self.repository, given)

    def client(self, token: str) -> GitHubClient:
        return GitHubClient(
            token=token, api_url=self.server.api_url, repository="octo/models", sleep=lambda seconds: None
        )

    def examined(self, token: str, *, allow: bool = False) -> dict[str, Finding]:
        """Return what `token` lets us find, and see that GitHub is as it was."""
        client, before = self.client(token), self.state()
        found = github(client, token, base="main", campaign="main", allow_public_runner=allow)
        assert self.state() == before
        return {finding.condition: finding for finding in found}

    def state(self) -> Any:
        contents = self.repository.contents
        return dict(contents.refs), list(contents.issues), len(contents.statuses), len(self.server.dispatches)

    @property
    def owner(self) -> str:
        """A personal token of the repository's owner."""
        return self.server.token("octo")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with serve(tmp_path / "github") as server:
        yield Home(tmp_path, server)


def colours(found: dict[str, Finding]) -> dict[str, str]:
    return {condition: finding.colour for condition, finding in found.items()}


def test_a_healthy_repository_is_green_for_its_owner(home: Home) -> None:
    found = home.examined(home.owner)
    assert colours(found) == dict.fromkeys(
        (TOKEN, WORKFLOW, RIGHTS, ACTIONS, RUNNERS, VISIBILITY, BRANCHES), "green"
    )
    assert "whose owner has the role admin" in found[TOKEN].measured
    assert found[RIGHTS].measured == ", ".join(f"{name}: write" for name in NEEDED)
    assert "h100 online" in found[RUNNERS].measured
    assert len(home.server.calls) <= 16


def test_commands_of_an_earlier_version_hear_no_gestures(home: Home) -> None:
    assert COMMANDS not in home.examined(home.owner), "who wants no commands is not told of them"
    (home.top / COMMANDS_PATH).touch()
    git(home.top, "add", COMMANDS_PATH)
    home.put(COMMANDS_PATH, commands_caller(ACTION))
    assert home.examined(home.owner)[COMMANDS].colour == "green"
    home.put(COMMANDS_PATH, commands_caller(ACTION).replace("  pull_request:", "  workflow_dispatch:"))
    found = home.examined(home.owner)[COMMANDS]
    assert found.colour == "amber" and "looked at before they land" in found.measured
    assert "hears no gestures" in found.measured and "nocturne init --github" in found.mend


@pytest.mark.parametrize("form", ["one", "three"])
def test_a_workflow_of_an_earlier_version_is_amber(home: Home, form: Form) -> None:
    home.put(WORKFLOW_PATH, workflow(form).replace(f"# v{__version__}", "# v0.1.9"))
    found = home.examined(home.owner)[WORKFLOW]
    assert found.colour == "amber" and f"by version 0.1.9, this is {__version__}" in found.measured
    assert "nocturne init --github" in found.mend


def test_what_a_workflow_may_not_see_is_amber(home: Home) -> None:
    found = home.examined(home.workflow_token(**ENOUGH))
    assert {name for name, colour in colours(found).items() if colour != "green"} == {ACTIONS, RUNNERS}
    for name in (ACTIONS, RUNNERS):
        assert found[name].colour == "amber" and "administration: read" in found[name].mend


@pytest.mark.parametrize("lacking", few(sorted(NEEDED), 2, in_ci=3))
def test_a_permission_that_is_lacking_is_named(home: Home, lacking: str) -> None:
    given = ENOUGH | {lacking: "read"}
    found = home.examined(home.workflow_token(**given))[RIGHTS]
    assert found.colour == "red"
    assert found.measured.startswith(f"lacks {lacking}: write; has ")


def test_a_workflow_that_may_not_write_check_runs_does_without(home: Home) -> None:
    found = home.examined(home.workflow_token(**ENOUGH | {"checks": "read"}))[RIGHTS]
    assert found.colour == "amber" and "and not checks: write" in found.measured
    assert "checks: write" in found.mend


def test_a_reader_of_the_repository_lacks_what_the_loop_needs(home: Home) -> None:
    home.repository.collaborator("ann", "read")
    found = home.examined(home.server.token("ann"))
    assert "the role pull" in found[TOKEN].measured
    assert found[RIGHTS].colour == "red" and "contents: write" in found[RIGHTS].measured


def test_a_token_that_is_no_more_is_red(home: Home) -> None:
    token = home.owner
    home.server.revoke(token)
    found = home.examined(token)
    assert list(found) == [TOKEN]
    assert found[TOKEN].colour == "red" and "NOCTURNE_GITHUB_TOKEN" in found[TOKEN].measured


def test_a_stranger_is_told_nothing_and_says_so(home: Home) -> None:
    found = home.examined(home.server.token("mallory"))
    assert list(found) == [TOKEN] and "octo/models must be visible" in found[TOKEN].measured


def test_a_server_that_does_not_answer_is_red(home: Home) -> None:
    client = GitHubClient(
        token="ghp_x",
        api_url="http://127.0.0.1:9/api/v3",
        repository="octo/models",
        sleep=lambda seconds: None,
    )
    (found,) = github(client, "ghp_x", base="main", campaign="main", allow_public_runner=False)
    assert found.colour == "red" and "GitHub does not answer" in found.measured


def test_actions_that_may_not_open_pull_requests_are_red(home: Home) -> None:
    home.repository.actions_may_open_pulls = False
    found = home.examined(home.owner)[ACTIONS]
    assert found.colour == "red" and "allow GitHub Actions to create" in found.mend
    # The workflow's own token has the permission all the same: it is the setting that is wrong.
    assert home.examined(home.workflow_token(**ENOUGH))[RIGHTS].colour == "green"
    home.repository.actions_may_open_pulls, home.repository.workflows_enabled = True, False
    assert "Actions is off" in home.examined(home.owner)[ACTIONS].measured


def test_without_a_workflow_nothing_runs_there(home: Home) -> None:
    home.put(".github/workflows/nocturne.yml", None)
    home.repository.actions_may_open_pulls = False
    found = home.examined(home.owner)
    assert found[WORKFLOW].colour == "amber" and "nocturne init --github" in found[WORKFLOW].mend
    assert (found[ACTIONS].colour, found[RUNNERS].colour) == ("amber", "amber")
    assert "actions: write can't be asked" in found[RIGHTS].measured and found[RIGHTS].colour == "green"


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (workflow("one", ("self-hosted", "gpu")), ("self-hosted", "gpu")),
        (workflow("three", ("self-hosted", "a100")), ("self-hosted", "a100")),
        ("jobs: {a: {runs-on: ubuntu-latest}}", ("ubuntu-latest",)),
        ("jobs: {a: {uses: x, with: 3}, b: 4}", ()),
        ("jobs: {a: {runs-on: '[x'}}", ()),
        ("[", ()),
        ("- a", ()),
    ],
)
def test_labels_are_those_of_the_job_that_trains(text: str, labels: tuple[str, ...]) -> None:
    assert labels_of(text) == labels


def test_a_workflow_without_a_runner_is_amber(home: Home) -> None:
    home.put(".github/workflows/nocturne.yml", "on: workflow_dispatch\njobs: {}\n")
    assert home.examined(home.owner)[WORKFLOW].colour == "amber"


def test_runners(home: Home) -> None:
    (runner,) = home.repository.contents.runners.values()
    runner.status = "offline"
    found = home.examined(home.owner)[RUNNERS]
    assert found.colour == "red" and "h100 has the labels" in found.measured
    runner.status = "online"
    home.put(".github/workflows/nocturne.yml", workflow("three", ("self-hosted", "a100")))
    found = home.examined(home.owner)[RUNNERS]
    assert found.colour == "red" and "none with the labels self-hosted, a100" in found.measured
    home.repository.owner = replace(home.repository.owner, kind="Organization")
    assert home.examined(home.owner)[RUNNERS].colour == "amber"
    home.put(".github/workflows/nocturne.yml", workflow("one", ("ubuntu-latest",)))
    assert "GitHub's own machines" in home.examined(home.owner)[RUNNERS].measured


def test_a_public_repository_with_a_runner_of_its_own_is_red_unless_allowed(home: Home) -> None:
    home.repository.private = False
    found = home.examined(home.owner)[VISIBILITY]
    assert found.colour == "red" and "github.allow_public_runner" in found.mend
    assert home.examined(home.owner, allow=True)[VISIBILITY].colour == "amber"
    home.put(".github/workflows/nocturne.yml", workflow("one", ("ubuntu-latest",)))
    assert home.examined(home.owner)[VISIBILITY].colour == "green"


@pytest.mark.parametrize(
    ("branch", "rule", "colour"),
    few(
        [
            ("nocturne/main", "pull_request", "red"),
            ("nocturne/ledger", "required_signatures", "red"),
            ("nocturne/exp/main/1", "non_fast_forward", "red"),
            ("nocturne/ledger", "non_fast_forward", "green"),
            ("main", "pull_request", "green"),
        ],
        2,
    ),
)
def test_rules_that_bar_the_loop_from_its_branches(home: Home, branch: str, rule: str, colour: str) -> None:
    home.repository.rules[branch] = [rule, "required_linear_history"]
    found = home.examined(home.owner)[BRANCHES]
    assert found.colour == colour
    assert (f"{branch}: {rule}" in found.measured) is (colour == "red")


def test_rules_that_the_owner_may_bypass_bar_nobody(home: Home) -> None:
    home.repository.rules["nocturne/main"] = ["pull_request"]
    home.repository.may_bypass_rules = "always"
    assert home.examined(home.owner)[BRANCHES].colour == "green"


def test_protected_branches_bar_the_loop_where_they_are_its_own() -> None:
    ours = {"nocturne/main": "campaign"}
    assert bars(ours, {}, ["main", "release"]) == []
    assert bars(ours, {"nocturne/main": ["creation"]}, ["nocturne/main"]) == [
        "nocturne/main: creation",
        "nocturne/main: protected",
    ]


def doctor(home: Home, token: str, code: int = 0) -> dict[str, dict[str, str]]:
    environ = dict.fromkeys(("NOCTURNE_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_ACTIONS"), "")
    environ |= {"GITHUB_API_URL": home.server.api_url, "GITHUB_SERVER_URL": home.server.server_url}
    said = nocturne(
        home.top, "doctor", "--quick", "--json", env=os.environ | environ | {"GITHUB_TOKEN": token}, code=code
    )
    assert not token or token not in said.stdout + said.stderr
    return {finding["condition"]: finding for finding in json.loads(said.stdout)["findings"]}


@pytest.mark.long
def test_the_command_examines_github_too(home: Home) -> None:
    found = doctor(home, home.owner)
    assert CUTS not in found  # nothing is trained
    assert all(
        found[name]["colour"] == "green" for name in (TOKEN, WORKFLOW, RIGHTS, ACTIONS, RUNNERS, BRANCHES)
    )
    home.repository.private = False
    assert doctor(home, home.owner, code=1)[VISIBILITY]["colour"] == "red"
    git(home.top, "config", "user.name", "Ann")
    git(home.top, "config", "user.email", "ann@example.org")
    (home.top / CONFIG_PATH).write_text(SHARED + CONFIG + "github: {allow_public_runner: true}\n")
    git(home.top, "commit", "--quiet", "--all", "--message", "Allow it")
    assert doctor(home, home.owner)[VISIBILITY]["colour"] == "amber"


@pytest.mark.long
def test_the_command_says_whether_jobs_have_the_secret_of_the_cuts(home: Home) -> None:
    git(home.top, "config", "user.name", "Ann")
    git(home.top, "config", "user.email", "ann@example.org")
    (home.top / CONFIG_PATH).write_text(
        SHARED + "evaluator: {budget: {kind: steps, amount: 3}}\nrunner: test\n"
    )
    (home.top / "prepare.py").write_text("MAX_SEQ_LEN = 4\n")
    git(home.top, "add", "--all")
    git(home.top, "commit", "--quiet", "--all", "--message", "Train")
    found = doctor(home, home.owner)[CUTS]
    assert found["colour"] == "amber" and "has no secret NOCTURNE_CUTS_KEY" in found["measured"]
    assert found["mend"] == "run `nocturne cuts-key | gh secret set NOCTURNE_CUTS_KEY`"


def test_cuts_are_in_force_if_the_workflow_passes_the_secret_and_it_is_there(home: Home) -> None:
    def look(token: str, text: str = workflow(), seen: str = "", kind: str = "User") -> Finding:
        return cuts(home.client(token), {"owner": {"type": kind}}, text, seen)

    written_before = workflow().replace("NOCTURNE_CUTS_KEY", "OTHER")
    assert look(home.owner, written_before).colour == "amber"
    assert "`nocturne init --github` write it anew" in look(home.owner, written_before).mend
    assert "organisation" in look(home.owner, kind="Organization").mend
    can_not_look = look(home.workflow_token(**ENOUGH))
    assert can_not_look.colour == "green" and "can't be seen" in can_not_look.measured
    home.repository.secrets.append("NOCTURNE_CUTS_KEY")
    assert look(home.owner).colour == "green" and "is set" in look(home.owner).measured
    told = look(home.owner, seen="12,000 targets are never shown")
    assert (told.colour, told.measured) == ("green", "12,000 targets are never shown")


def test_the_command_without_a_token_says_what_needs_one(home: Home) -> None:
    assert any("there is no token" in each["measured"] for each in doctor(home, "", code=1).values())
    git(home.top, "config", "user.name", "Ann")
    git(home.top, "config", "user.email", "ann@example.org")
    (home.top / CONFIG_PATH).write_text(CONFIG)
    git(home.top, "commit", "--quiet", "--all", "--message", "Stay here")
    found = doctor(home, "")["GitHub"]
    assert found["colour"] == "green" and "everything stays in this clone" in found["measured"]


def test_the_command_with_a_dead_token_goes_on_as_far_as_it_can(home: Home) -> None:
    token = home.owner
    home.server.revoke(token)
    found = doctor(home, token, code=1)
    assert found["ledger"]["colour"] == found[TOKEN]["colour"] == "red"
    assert found["real tools: jail"]["colour"] == "green"
