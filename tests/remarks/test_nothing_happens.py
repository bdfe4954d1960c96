"""A fork's pull request, a stranger's comment, an edited configuration or workflow in a pull request's head: nothing
runs, nothing changes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.commands.cli import main
from bot.github.workflows import COMMANDS_PATH, WORKFLOW_PATH, caller, commands_caller
from tests.actions.runner import called_by_others
from tests.bot.repositories import git
from tests.families import few
from tests.remarks.conftest import ACTION, MERGED, Night, Speech

PROJECT = Path(__file__).parents[2]
# What starts a workflow of ours or one that `init` writes. None of it is in the hands of who may not write.
TRIGGERS = {"workflow_dispatch", "schedule", "issue_comment", "issues", "workflow_call"}
# What happens to a pull request starts only the commands, and a fork's not these.
BY_HAND = {"pull_request", "pull_request_review"}
EVIL_CONFIG = """\
evaluator: {kind: command, command: [sh, -c, "echo METRIC loss=0; touch /tmp/evil"], metric: {name: loss}}
editable: [train.py, score.py]
stop: {experiments: 999}
"""
EVIL_WORKFLOW = (
    "name: Evil\non: [pull_request, workflow_dispatch]\njobs: {a: {runs-on: [self-hosted, gpu], steps: []}}\n"
)


def triggers(text: str) -> set[str]:
    document = yaml.safe_load(text)
    on = document.get("on", document.get(True))
    return {on} if isinstance(on, str) else set(on)


def workflows() -> dict[str, str]:
    """Return the workflows of this project that others call, and those that `init` writes, by name."""
    found = {path.name: path.read_text() for path in called_by_others()}
    for form in ("one", "three"):
        found[form] = caller(form=form, action=ACTION, campaign="main", labels=["gpu"], config="x.yml")
    return found | {"commands": commands_caller(ACTION)}


def test_no_workflow_is_started_by_a_pull_request() -> None:
    for name, text in workflows().items():
        assert triggers(text) <= TRIGGERS | (BY_HAND if name == "commands" else set()), name
    answer = yaml.safe_load(commands_caller(ACTION))["jobs"]["answer"]["if"]
    heard = answer.rpartition("||")[2]
    assert "github.event.pull_request.head.repo.full_name == github.repository &&" in heard
    # The test would see one.
    assert not triggers(EVIL_WORKFLOW) <= TRIGGERS and not triggers("on: pull_request_target") <= TRIGGERS


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target", "push", "fork"])
def test_act_finds_nothing_to_run(tmp_path: Path, event: str) -> None:
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    texts = workflows()
    for name in ("one", "three") if event == "pull_request" else ("one", "three", "commands"):
        (folder / f"{name}.yml").write_text(texts[name])
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    found = {word: jobs_of(tmp_path, word) for word in (event, "workflow_dispatch")}
    assert "Experiment" not in found[event] and "Answer" not in found[event], found[event]
    assert "Experiment" in found["workflow_dispatch"]


def jobs_of(folder: Path, event: str) -> str:
    """Return what act says would run on an event."""
    act = str(Path(sys.executable).with_name("act"))
    environ = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    words = [act, event, "--list", "-P", "self-hosted=-self-hosted"]
    done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, timeout=60)
    return done.stdout


def everything(night: Night) -> dict[str, Any]:
    """Return all that is seen of the repository but what the test itself put there: pull requests and comments
    of others."""
    contents = night.repository.contents
    ours = {number for number, issue in contents.issues.items() if issue.user.login == "github-actions[bot]"}
    refs = {name: sha for name, sha in contents.refs.items() if not name.startswith("refs/pull/")}
    return {
        "refs": refs,
        "issues": {number: repr(contents.issues[number]) for number in ours},
        "reactions": [each.reactions for each in contents.comments.values()],
        "comments": [
            repr(each) for each in contents.comments.values() if each.user.login == "github-actions[bot]"
        ],
        "statuses": repr(contents.statuses),
        "check runs": repr(contents.check_runs),
        "labels": repr(contents.labels),
        "runs": repr(contents.runs),
        "dispatches": list(night.github.dispatches),
    }


def commit_on(night: Night, path: Path, branch: str, files: dict[str, str]) -> str:
    """Put a commit with `files` on top of main into the repository at `path`, as `branch`."""
    at = Path(tempfile.mkdtemp(dir=night.folder)) / "clone"
    git(night.folder, "clone", "--quiet", "--branch", "main", str(night.repository.path), str(at))
    for name, text in files.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(text)
    git(at, "add", "--all")
    git(at, "commit", "--quiet", "--message", "Nocturne-Experiment: 3")
    git(at, "push", "--quiet", str(path), f"HEAD:refs/heads/{branch}")
    return git(at, "rev-parse", "HEAD")


EVIL = {".github/nocturne.yml": EVIL_CONFIG, WORKFLOW_PATH: EVIL_WORKFLOW, COMMANDS_PATH: EVIL_WORKFLOW}


def from_a_fork(night: Night) -> dict[str, Any]:
    """Open a stranger's pull request, from a branch that is named like an experiment's."""
    fork = night.github.fork(night.repository, "mallory")
    branch = f"nocturne/exp/main/{len(fork.contents.refs) + 3}"  # a fork stays, whatever is put back
    commit_on(night, fork.path, branch, EVIL)
    fork.sync()
    opened = {
        "title": "Better",
        "head": f"mallory:{branch}",
        "base": "nocturne/main",
        "body": "/nocturne stop",
    }
    return dict(night.rest("mallory", "POST", "/pulls", opened))


def from_a_branch(night: Night) -> dict[str, Any]:
    """Open a pull request of somebody who may write, with another configuration and other workflows."""
    commit_on(night, night.repository.path, "settings", EVIL)
    night.repository.sync()
    opened = {"title": "Settings", "head": "settings", "base": "main", "body": "Shall we?"}
    return dict(night.rest("alice", "POST", "/pulls", opened))


def stop_at_two(night: Night) -> None:
    """Let the campaign's own configuration say that its two experiments are enough."""
    config = night.top / ".github/nocturne.yml"
    config.write_text(config.read_text() + "stop: {experiments: 2}\n")
    git(night.top, "commit", "--quiet", "--all", "--message", "Enough")
    git(night.top, "push", "--quiet", str(night.repository.path), "main")
    assert main(["iterate", "--repo", str(night.top)]) == 0  # writes the stop down
    assert night.events("loop_stopped")[-1]["reason"] == "experiments"


@pytest.mark.long
@pytest.mark.parametrize("opened", [from_a_fork, from_a_branch])
def test_a_pull_request_changes_nothing(
    night: Night,
    speech: Speech,
    opened: Callable[[Night], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for key, value in night.environ(night.folder / "none").items():
        speech.monkeypatch.setenv(key, value)
    stop_at_two(night)
    pull = opened(night)
    before = everything(night)
    # Were the workflows started all the same: the commands pass over what is no experiment's, or know no such event,
    # and the loop knows its own configuration.
    event = night.folder / "pull.json"
    about = {"sender": pull["user"], "repository": night.rest("octo", "GET", "")}
    event.write_text(
        json.dumps({"action": "reopened", "pull_request": pull, "number": pull["number"], **about})
    )
    for name in ("pull_request", "pull_request_target", "push"):
        speech.monkeypatch.setenv("GITHUB_EVENT_NAME", name)
        speech.monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))
        assert main(["answer", "--repo", str(night.top)]) == (0 if name == "pull_request" else 2)
        assert main(["iterate", "--repo", str(night.top)]) == 0
        assert main(["propose", "--repo", str(night.top)]) == 0
    assert "stop.experiments is 2" in capsys.readouterr().out
    assert everything(night) == before


@pytest.mark.parametrize(
    "words", few(["stop", "resume", "revert", "approve", "reject", "retry", "idea DEPTH = 9", "promote"], 3)
)
def test_a_comment_of_one_who_may_not_write_changes_nothing(night: Night, speech: Speech, words: str) -> None:
    written = [
        speech.write(f"/nocturne {words}", on=night.pull_of(MERGED), by=login)
        for login in ("mallory", "rita", "tom")
    ]
    before = everything(night)
    for said in written:
        assert speech.answer(said) == 0
    assert everything(night) == before


def test_a_stranger_s_comment_on_a_fork_s_pull_request_changes_nothing(night: Night, speech: Speech) -> None:
    number = from_a_fork(night)["number"]
    said = speech.write("/nocturne approve", on=number, by="mallory")
    before = everything(night)
    assert speech.answer(said) == 0
    assert everything(night) == before
