"""A finished campaign of two experiments on the GitHub on loopback, put back as it was before each test."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from bot.commands.cli import main
from bot.forge import github as github_forge
from bot.forge import github_client
from bot.git import patience
from bot.github.workflows import WORKFLOW_PATH, caller
from tests.bot.repositories import CONFIG, TRAIN, events, git, make_repository, nocturne, packed
from tests.github.records import Comment, Contents, Role
from tests.github.server import GitHub, Repository, serve

NAME = "octo/models"
DISCARDED, MERGED = 1, 2  # the experiments
# What the job of the workflow asks for.
PERMISSIONS = {"actions": "write", "contents": "write", "issues": "write", "pull-requests": "write"}
ACTION = "nocturne-ci/nocturne@" + "1" * 40
_START = TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.003").replace('"gelu"  #', '"relu2"  #')
_CONFIG = CONFIG + "seed: 1\n"


@dataclass
class Night:
    """The server, the repository after its campaign, and a clone of it."""

    github: GitHub
    repository: Repository
    top: Path
    token: str
    folder: Path
    kept: Contents = field(default_factory=Contents)

    def keep(self) -> None:
        self.kept = copy.deepcopy(self.repository.contents)
        packed(self.top)
        git(self.repository.path, "repack", "-a", "-d", "--quiet")
        shutil.copytree(self.repository.path, self.folder / "kept.git")
        shutil.copytree(self.top, self.folder / "kept")

    def put_back(self) -> None:
        self.repository.contents = copy.deepcopy(self.kept)
        for kept, path in (("kept.git", self.repository.path), ("kept", self.top)):
            shutil.rmtree(path)
            shutil.copytree(self.folder / kept, path)
        self.github.calls.clear()
        self.github.git_calls.clear()
        self.github.dispatches.clear()
        self.github.faults.clear()
        self.repository.sync()

    def environ(self, event: Path) -> dict[str, str]:
        return {
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_SERVER_URL": self.github.server_url,
            "GITHUB_TOKEN": self.token,
            "GITHUB_EVENT_NAME": "issue_comment",
            "GITHUB_EVENT_PATH": str(event),
        }

    def rest(self, login: str, method: str, path: str, body: Any = None) -> Any:
        """Do what `login` does on GitHub's pages."""
        answer = requests.request(
            method,
            f"{self.github.api_url}/repos/{NAME}{path}",
            json=body,
            headers={"Authorization": f"token {self.github.token(login)}"},
            timeout=30,
        )
        assert answer.status_code < 300, answer.text
        return answer.json()

    def issue(self) -> int:
        """Open an issue, and return its number."""
        return int(self.rest("alice", "POST", "/issues", {"title": "Ask"})["number"])

    def pull_of(self, experiment: int) -> int:
        return int(next(e["pull"] for e in self.events("pull_opened") if e["experiment"] == experiment))

    def events(self, kind: str, campaign: str = "main") -> list[dict[str, Any]]:
        return [each for each in events(self.repository.path, campaign=campaign) if each["kind"] == kind]


@dataclass
class Said:
    """A comment that somebody has written, and what came of it."""

    night: Night
    payload: dict[str, Any]
    event: Path

    @property
    def comment(self) -> Comment:
        return self.night.repository.contents.comments[self.payload["comment"]["id"]]

    @property
    def reactions(self) -> list[str]:
        return [each.content for each in self.comment.reactions]

    @property
    def answers(self) -> list[str]:
        """Our replies to it, without their mark."""
        mark = f"<!-- nocturne:answer {self.payload['comment']['id']} -->\n"
        bodies = [each.body for each in self.night.repository.contents.comments.values()]
        return [body.removeprefix(mark) for body in bodies if body.startswith(mark)]

    @property
    def commands(self) -> list[tuple[str, int | None]]:
        """What the ledger holds of it."""
        source = f"comment:{self.payload['comment']['id']}"
        found = [e for e in self.night.events("command_given") if e["source"] == source]
        return [(e["command"], e["experiment"]) for e in found]


@dataclass
class Speech:
    """Writes comments as GitHub tells of them, and has them answered in this process."""

    night: Night
    monkeypatch: pytest.MonkeyPatch

    def write(self, body: str, *, on: int, by: str = "alice", action: str = "created") -> Said:
        night = self.night
        comment = night.rest(by, "POST", f"/issues/{on}/comments", {"body": body})
        payload = {
            "action": action,
            "issue": night.rest("octo", "GET", f"/issues/{on}"),
            "comment": comment,
            "repository": night.rest("octo", "GET", ""),
            "sender": comment["user"],
        }
        return self.of(payload)

    def of(self, payload: dict[str, Any]) -> Said:
        event = self.night.folder / f"event-{payload['comment']['id']}.json"
        event.write_text(json.dumps(payload))
        self.night.github.calls.clear()
        self.night.github.git_calls.clear()
        return Said(self.night, payload, event)

    def answer(self, said: Said, *words: str) -> int:
        """Do what the workflow's job does; return the exit code."""
        for key, value in self.night.environ(said.event).items():
            self.monkeypatch.setenv(key, value)
        return main(["answer", "--repo", str(self.night.top), *words])

    def say(self, body: str, *, on: int, by: str = "alice") -> Said:
        """Write a comment and have it answered."""
        said = self.write(body, on=on, by=by)
        assert self.answer(said) == 0
        return said


# No longer than the package lasts: what a GitHub holds is searched after each test while it serves.
@pytest.fixture(scope="package")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    folder = tmp_path_factory.mktemp("night")
    with serve(folder / "github") as github:
        repository = github.repository(NAME, private=False, default_branch="main")
        token = github.token(
            "github-actions[bot]", "workflow", repository, PERMISSIONS | {"statuses": "write"}
        )
        workflow = caller(form="one", action=ACTION, campaign="main", labels=["gpu"], config="x.yml")
        files = {"train.py": _START, WORKFLOW_PATH: workflow}
        top = make_repository(folder / "repo", config=_CONFIG, files=files, shared=True)
        git(top, "push", "--quiet", str(repository.path), "main")
        git(top, "remote", "add", "origin", f"{github.server_url}/{NAME}.git")
        night = Night(github, repository, top, token, folder)
        nocturne(top, "run", "-n", "2", env=night.environ(folder / "none"))
        night.token = github.token("github-actions[bot]", "workflow", repository, PERMISSIONS)
        repository.sync()
        roles: dict[str, Role] = {"alice": "write", "mona": "maintain", "rita": "read", "tom": "triage"}
        for login, role in roles.items():
            repository.collaborator(login, role)
        github.limits.workflow = 10**6
        night.keep()
        yield night


@pytest.fixture
def night(campaign: Night, monkeypatch: pytest.MonkeyPatch) -> Night:
    monkeypatch.setattr(patience, "PAUSE", 0.0)
    monkeypatch.setattr(github_client, "PAUSE", 0.0)
    monkeypatch.setattr(github_forge, "LAGS", (0.0, 0.0, 0.0, 0.0))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    campaign.put_back()
    return campaign


@pytest.fixture
def speech(night: Night, monkeypatch: pytest.MonkeyPatch) -> Speech:
    return Speech(night, monkeypatch)


def verdict_of(night: Night, number: int) -> str:
    """Return the verdict on an experiment that was not merged: `discarded`, or `inconclusive` if it came near."""
    (verdict,) = (e["verdict"] for e in night.events("experiment_decided") if e["experiment"] == number)
    assert verdict in ("discarded", "inconclusive")
    return str(verdict)
