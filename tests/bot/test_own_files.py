"""Words of a command that name files of the repository, which must be committed, among those that don't."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.loop.files import _own_file


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("bench.py", "bench.py"),
        ("./sub/../bench.py", "bench.py"),
        ("{top}/bench.py", "bench.py"),
        ("../repo/bench.py", "bench.py"),
        ("/usr/bin/env", None),
        ("../set.csv", None),
        ("~/set.csv", None),
        ("sub", None),
        ("python", None),
        ("x" * 10_000, None),
        ("a\0b", None),
        ("~nobody-of-that-name/x", None),
    ],
)
def test_only_files_of_the_repository_are_asked_of_git(tmp_path: Path, word: str, found: str | None) -> None:
    top = tmp_path / "repo"
    (top / "sub").mkdir(parents=True)
    (top / "bench.py").touch()
    (tmp_path / "set.csv").touch()
    assert _own_file(top, word.format(top=top)) == found
