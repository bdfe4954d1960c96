"""The README is short, and what it tells a new user to type works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bot.repositories import git, make_repository, status
from tests.bot.test_docs import NOT_RUN, ROOT, commands, type_it

README = ROOT / "README.md"


def test_it_is_read_in_five_minutes_and_has_one_picture() -> None:
    text = README.read_text()
    assert len(text.split()) <= 1300
    assert len(re.findall(r"!\[|```mermaid|<img|<picture", text)) == 1
    assert {"make demo", "make test"} <= set(commands(README))


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "init",
    [
        pytest.param("nocturne init", marks=pytest.mark.long),
        # Minutes of training: in CI `test_demo` trains the same task, and the three lines train autoresearch's
        # (`test_real_repositories`).
        pytest.param("nocturne init --starter", marks=pytest.mark.slow),
    ],
)
def test_what_a_new_user_types_works(tmp_path: Path, init: str) -> None:
    """All that the README shows, line by line, with a shorter night: on the formula, and on the starter."""
    folder = tmp_path / "repo"
    if init == "nocturne init":
        make_repository(folder)
        git(folder, "rm", "--quiet", ".github/nocturne.yml")
    else:
        git(tmp_path, "init", "--quiet", "--initial-branch=main", str(folder))
    git(folder, "config", "user.name", "Tester")
    git(folder, "config", "user.email", "tester@example.org")
    said = ""
    for line in commands(README):
        if line in NOT_RUN:
            continue
        line = line.replace("nocturne init", init)
        line = line.replace("--until 07:00", "--until 07:00 -n 1").replace("show 3", "show 1")
        said += type_it(folder, line, timeout=600)
    written = (folder / ".github/nocturne.yml").read_text().rpartition("# campaigns:")[2]
    assert ("kind: command" if init == "nocturne init" else "kind: cpu") in written
    assert (folder / "report.html").stat().st_size > 10_000
    assert status(folder)["experiments"]["total"] == 1
    assert "Pull request 1" in said
