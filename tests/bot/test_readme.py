"""The README's commands exist, and what it tells a new user to type works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli import parser
from tests.bot.repositories import git, status

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = [block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", README, re.S)]


def test_every_command_in_a_block_is_one_that_we_have() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    lines = [line for block in BLOCKS for line in block]
    assert {"make demo", "make test"} <= set(lines)
    for line in lines:
        words = shlex.split(line)
        if words[0] == "make":
            assert set(words[1:]) <= targets, line
        elif words[0] == "nocturne":
            parser().parse_args(words[1:])
        else:
            assert words[0] in ("pip", "cd", "git"), line


def test_every_target_and_verb_that_the_text_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"`make ([a-z-]+)`", README)) <= targets
    verbs = next(action.choices for action in parser()._actions if isinstance(action.choices, dict))
    table = README[README.index("| command |") : README.index("`git log nocturne/main` tells")]
    named = set(re.findall(r"nocturne ([a-z]+)", table)) | set(re.findall(r"`([a-z]+)[ `]", table))
    assert set(verbs) <= named


def test_files_that_the_readme_shows_are_there() -> None:
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).is_file(), path


@pytest.mark.long
@pytest.mark.timeout(900)
def test_what_a_new_user_types_works(tmp_path: Path) -> None:
    """The block "Add it to your repository", line by line, on the starter, with a shorter night."""
    block = next(lines for lines in BLOCKS if "nocturne init" in lines)
    folder = tmp_path / "your-repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "user.name", "Tester")
    git(folder, "config", "user.email", "tester@example.org")
    script = "\n".join(line for line in block if not line.startswith("pip"))
    script = script.replace("nocturne init", "nocturne init --starter")
    script = script.replace("nocturne run --until 07:00", "nocturne run --until 07:00 -n 1")
    script += "\n" + "\n".join(next(lines for lines in BLOCKS if "nocturne status" in lines)).replace(
        "nocturne show 3", "nocturne show 1"
    )
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-ec", script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kind: cpu" in (folder / ".github/nocturne.yml").read_text().rpartition("# campaigns:")[2]
    assert (folder / "report.html").stat().st_size > 10_000
    assert status(folder)["experiments"]["total"] == 1
    assert "## Pull request 1" in done.stdout
