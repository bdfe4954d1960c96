"""What CI leaves out: tests of what did not change since the base commit, and never if that can't be told."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.bot.repositories import git, make_repository

CHANGED = Path(__file__).parents[2] / ".ci/changed"


def changed(folder: Path, *paths: str, base: str = "") -> bool:
    done = subprocess.run(
        [str(CHANGED), *paths], cwd=folder, env=os.environ | {"BASE": base}, timeout=60, check=False
    )
    assert done.returncode in (0, 1)
    return done.returncode == 0


def commit(folder: Path, name: str) -> str:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("new\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", name)
    return git(folder, "rev-parse", "HEAD")


def test_it_is_told_from_the_base_commit_what_changed(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", remote=tmp_path / "origin.git")
    assert changed(folder, "doubles"), "at the first commit there is nothing to compare with"
    first = commit(folder, "other/file")
    assert not changed(folder, "doubles", "train.py") and changed(folder, "doubles", "other")
    second = commit(folder, "doubles/file")
    assert changed(folder, "doubles") and not changed(folder, "train.py")
    assert changed(folder, "doubles", base=first)
    commit(folder, "last")
    assert not changed(folder, "doubles", base=second)
    assert changed(folder, "doubles", base="0" * 40), "a base that is not here tells nothing"
    git(folder, "push", "--quiet", "origin", "main")
    assert not changed(folder, "doubles") and changed(folder, "last"), (
        "the main branch itself: its last commit"
    )
    git(folder, "remote", "remove", "origin")
    assert changed(folder, "doubles")
