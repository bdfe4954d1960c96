"""The command line itself: groups, completion, and how much it says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bot.commands.cli import GROUPS, main, parser
from tests.bot.repositories import git, make_repository, nocturne


def test_help_lists_every_command_once_in_its_group() -> None:
    verbs = next(action.choices for action in parser()._actions if isinstance(action.choices, dict))
    grouped = [verb.name for members in GROUPS.values() for verb in members]
    assert sorted(grouped) == sorted(verbs)
    said = parser().format_help()
    places = [said.index(f"\n  {group}:\n") for group in GROUPS]
    assert places == sorted(places)
    assert all(f"\n    {name}" in said for name in grouped)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_is_a_script_that_knows_commands_and_options(shell: str, tmp_path: Path) -> None:
    script = nocturne(tmp_path, "completion", shell).stdout
    assert all(word in script for word in ("promote", "--until", "--conversation"))
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=60)


@pytest.mark.long
def test_quiet_and_verbose_stand_before_or_after_the_command(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    assert nocturne(folder, "run", "-n", "1").stdout
    for words in (("-q", "pause"), ("resume", "-q")):
        done = nocturne(folder, *words)
        assert done.stdout + done.stderr == ""
    assert " s  git " in nocturne(folder, "status", "-v").stderr
    failed = nocturne(folder, "-q", "show", "7", code=2)
    assert failed.stderr.startswith("nocturne: ") and len(failed.stderr.splitlines()) == 1


def test_verbose_says_where_an_error_came_from_and_hides_what_a_url_carries(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = make_repository(tmp_path / "repo", shared=True)
    git(folder, "remote", "add", "origin", "https://u:ghp_secretsecret@127.0.0.1:9/x.git")
    assert main(["status", "-v", "--repo", str(folder)]) == 2
    said = capfd.readouterr().err
    assert " s  git " in said and "Traceback" in said and "secretsecret" not in said
    with pytest.raises(SystemExit):
        main(["-q", "-v", "status"])


def test_what_shows_something_shows_it_as_json(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    nocturne(folder, "run", "-n", "2")
    experiment = json.loads(nocturne(folder, "show", "2", "--json").stdout)
    assert experiment["number"] == 2 and experiment["verdict"] and experiment["hypothesis"]
    assert [run["experiment"] for run in experiment["all_runs"]] == [2] * experiment["runs"]
    report = json.loads(nocturne(folder, "report", "--json").stdout)
    assert [row["number"] for row in report["rows"]] == [1, 2] and report["experiments"]["total"] == 2
    (line,) = nocturne(folder, "morning", "--dry-run", "--json").stdout.splitlines()
    assert json.loads(line)["campaign"] == "main" and json.loads(line)["text"]
