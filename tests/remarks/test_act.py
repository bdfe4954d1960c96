"""The workflow that `init` writes, run by act from the event of a comment to its answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.github.workflows import COMMANDS_PATH, commands_caller
from tests.actions.runner import Runner
from tests.bot.repositories import git
from tests.remarks.conftest import ACTION, NAME, Night, Said, Speech


@pytest.mark.long
def test_a_comment_is_answered_by_its_workflow(night: Night, speech: Speech, tmp_path: Path) -> None:
    path = night.top / COMMANDS_PATH
    path.write_text(commands_caller(ACTION))
    git(night.top, "add", "--all")
    git(night.top, "commit", "--quiet", "--message", "Add commands")
    git(night.top, "push", "--quiet", str(night.repository.path), "main")
    runner = Runner(night.github, night.repository, tmp_path / "runner", night.token)
    said = speech.write("/nocturne pause", on=night.issue())
    log = run(runner, said, night)
    assert said.reactions == ["eyes", "+1"] and said.commands == [("pause", None)], log
    assert "**Paused.**" in said.answers[0] and night.token not in log

    ignored = speech.write("is /nocturne pause what I want?", on=night.issue())
    log = run(runner, ignored, night)
    assert "Set up Nocturne" not in log and ignored.reactions == []


def run(runner: Runner, said: Said, night: Night) -> str:
    """Run the workflow on the event, and return its log."""
    at = runner.folder / f"work-{said.comment.id}"
    git(runner.folder, "clone", "--quiet", "--branch", "main", str(night.repository.path), str(at))
    # act takes this folder for what the first checkout brings.
    git(at, "remote", "set-url", "origin", f"{night.github.server_url}/{NAME}.git")
    done = runner.act(at, ["issue_comment", "--eventpath", str(said.event), "--workflows", COMMANDS_PATH], {})
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout + done.stderr
