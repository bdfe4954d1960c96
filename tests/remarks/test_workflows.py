"""The workflows of commands: ours, and the one that `init` writes into a user's repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import yaml

from bot.github.workflows import CHECKOUT, COMMANDS_PATH, WORKFLOW_PATH, commands_caller, path_of
from tests.actions.auditors import audit, check_schema
from tests.bot.repositories import make_repository, nocturne
from tests.remarks.conftest import ACTION, PERMISSIONS

ROOT = Path(__file__).parents[2]
OURS = ROOT / ".github" / "workflows" / "commands.yml"


def test_both_are_valid_and_auditors_find_nothing(tmp_path: Path) -> None:
    theirs = tmp_path / "nocturne-commands.yml"
    theirs.write_text(commands_caller(ACTION))
    check_schema("github-workflows", OURS, theirs)
    assert "ignored" not in audit(OURS)
    # Whatever listens to comments has this one finding, which no condition answers.
    assert "(1 ignored)" in audit(theirs)
    assert theirs.read_text().count("zizmor: ignore[dangerous-triggers] no code") == 1


def test_permissions_are_those_that_the_answer_needs() -> None:
    """The other tests answer with a token that has exactly these."""
    ours, theirs = yaml.safe_load(OURS.read_text()), yaml.safe_load(commands_caller(ACTION))
    assert ours["permissions"] == theirs["permissions"] == {}
    for workflow in (ours, theirs):
        assert workflow["jobs"]["answer"]["permissions"] == PERMISSIONS


def test_nothing_of_the_event_reaches_a_script() -> None:
    steps = yaml.safe_load(OURS.read_text())["jobs"]["answer"]["steps"]
    checkouts = [step for step in steps if "checkout" in step.get("uses", "")]
    assert len(checkouts) == 2 and all(step["uses"] == CHECKOUT.split()[0] for step in checkouts)
    # The default branch, not a pull request's head.
    assert checkouts[0]["with"].pop("ref") == "${{ github.event.repository.default_branch }}"
    assert not any("github.event" in str(step) or "${{" in step.get("run", "") for step in steps)
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_the_last_step_runs_the_verb_with_and_without_a_campaign(tmp_path: Path) -> None:
    step = yaml.safe_load(OURS.read_text())["jobs"]["answer"]["steps"][-1]
    (tmp_path / ".nocturne").symlink_to(ROOT)  # where the job checks the action out
    (tmp_path / "nocturne").write_text('#!/bin/sh\nfor word; do echo "<$word>"; done\n')
    (tmp_path / "nocturne").chmod(0o755)
    for campaign, words in (("", ["<answer>"]), ("a-b", ["<answer>", "<--campaign>", "<a-b>"])):
        environ = {"PATH": os.environ["PATH"], "NOCTURNE_BIN": str(tmp_path), "NOCTURNE_CAMPAIGN": campaign}
        environ |= {name: text for name, text in step["env"].items() if name == "NOCTURNE_COMMAND"}
        done = subprocess.run(
            ["bash", "-e", "-c", step["run"]],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert (done.returncode, done.stdout.splitlines()) == (0, words)


def test_init_writes_both_and_leaves_them_alone(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "mine")
    said = nocturne(top, "init", "--github", "--action", ACTION).stdout
    assert f"wrote {WORKFLOW_PATH}" in said and f"wrote {COMMANDS_PATH}" in said
    assert (top / COMMANDS_PATH).read_text() == commands_caller(ACTION)
    assert "wrote" not in nocturne(top, "init", "--github", "--action", ACTION).stdout
    (top / COMMANDS_PATH).write_text("name: Mine\n")
    said = nocturne(top, "init", "--github", "--action", ACTION).stdout
    assert f"{COMMANDS_PATH} is there already" in said and (top / COMMANDS_PATH).read_text() == "name: Mine\n"
    said = nocturne(top, "init", "--github", "--action", ACTION, "--runners", "2").stdout
    assert "wrote .github/workflows/nocturne-2.yml" in said and "-3.yml" not in said
    one, two = (yaml.safe_load((top / path_of(chain)).read_text()) for chain in (1, 2))
    assert one["concurrency"]["group"] + "-2" == two["concurrency"]["group"] and two["name"] == "Nocturne 2"
    assert one["jobs"] == two["jobs"]
    refused = nocturne(top, "init", "--github", "three", "--action", ACTION, "--runners", "2", code=2).stderr
    assert "several chains need --github one" in refused
    assert "add --github" in nocturne(top, "init", "--runners", "2", code=2).stderr
    condition = yaml.safe_load(commands_caller(ACTION))["jobs"]["answer"]["if"]
    assert "startsWith(github.event.comment.body, '/nocturne')" in condition
