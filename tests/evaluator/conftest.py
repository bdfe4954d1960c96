"""One cache for all tests here: the starter's data is prepared once per session, by the real code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.evaluator import searched
from tests.evaluator.pythons import without_torch
from tests.evaluator.runs import CACHE, STEPS


@pytest.fixture(scope="session", autouse=True)
def cache(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, pytestconfig: pytest.Config
) -> Iterator[Path]:
    """Point XDG_CACHE_HOME at a folder of this session, for us and the processes we start; the workers share
    it, see `tests.evaluator.runs.prepared`."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / CACHE
    folder.mkdir(exist_ok=True)
    kept, found = searched.kept(pytestconfig), folder / "nocturne" / "held-out"
    if kept is not None:
        searched.take(kept, found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder
    if kept is not None:
        searched.take(found, kept)


@pytest.fixture(scope="session")
def light(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The settings `STEPS` for candidates that train nothing: no jail of theirs imports torch, which takes seconds."""
    return {**STEPS, "python": str(without_torch(tmp_path_factory.mktemp("light") / "environment"))}


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a TMPDIR of its own, so that it can see what was left behind."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder
