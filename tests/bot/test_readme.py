"""The README is short, and what it tells a new user to type works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bot.repositories import git, status
from tests.bot.test_docs import NOT_RUN, ROOT, commands, type_it

README = ROOT / "README.md"


def test_it_is_read_in_five_minutes_and_has_one_picture() -> None:
    text = README.read_text()
    assert len(text.split()) <= 1300
    assert len(re.findall(r"!\[|```mermaid|<img|<picture", text)) == 1
    assert {"make demo", "make test"} <= set(commands(README))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_what_a_new_user_types_works(tmp_path: Path) -> None:
    """All that the README shows, line by line, on the starter, with a shorter night."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "config", "user.name", "Tester")
    git(tmp_path, "config", "user.email", "tester@example.org")
    said = ""
    for line in commands(README):
        if line in NOT_RUN:
            continue
        line = line.replace("nocturne init", "nocturne init --starter")
        line = line.replace("--until 07:00", "--until 07:00 -n 1").replace("show 3", "show 1")
        said += type_it(tmp_path, line, timeout=600)
    assert "kind: cpu" in (tmp_path / ".github/nocturne.yml").read_text().rpartition("# campaigns:")[2]
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert status(tmp_path)["experiments"]["total"] == 1
    assert "Pull request 1" in said
