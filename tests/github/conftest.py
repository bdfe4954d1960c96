"""A server and a clone of its repository for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.github.context import Context
from tests.github.server import GitHub, serve


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits, made once; each test works on a copy."""
    folder = tmp_path_factory.mktemp("seed")
    with serve(folder / "github") as server:
        context = Context(server, folder / "work")
        context.commit("first", {"train.py": "a = 1\nb = 1\nc = 1\n"})
        context.commit("second", {"train.py": "a = 2\nb = 1\nc = 1\n"})
        context.git("remote", "remove", "origin")
    return folder / "work"


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    with serve(tmp_path / "github") as server:
        yield server


@pytest.fixture
def context(github: GitHub, tmp_path: Path, seed: Path) -> Context:
    """The private repository octo/models with `main`, and `exp-1` one commit ahead; a job's token."""
    shutil.copytree(seed, tmp_path / "work")
    context = Context(github, tmp_path / "work")
    home = str(context.repository.path)
    context.git("push", "--quiet", home, "HEAD~1:refs/heads/main", "HEAD:refs/heads/exp-1")
    return context
