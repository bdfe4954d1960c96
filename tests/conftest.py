"""What holds in every test: no credential stays anywhere, a trainer in process scores the formula task, and nothing
waits for the disk."""

from __future__ import annotations

import functools
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.git import command as git_command
from bot.git import patience
from bot.git import remote as git_remote
from bot.git import repository as git_repository
from tests import leaks
from tests.bot import trainer
from tests.bot.forge_readers import noting


@pytest.fixture(autouse=True, scope="session")
def trainer_in_process() -> Iterator[None]:
    with trainer.installed():
        yield


@pytest.fixture(autouse=True, scope="session")
def nothing_waits() -> Iterator[None]:
    """No test cuts the power: a process that is killed leaves what it wrote to the system. And a remote that can't be
    reached is asked again at once: how long to wait is what `tests/bot/test_patience.py` is about."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patience, "PAUSE", 0.01)
        patch.setattr(os, "fsync", lambda file: None)
        for place in (git_command, git_remote, git_repository):
            patch.setattr(place, "durable_config", functools.cache(lambda: ()))
        yield


def pytest_sessionstart() -> None:
    """What is imported and collected stays to the end: to look through it for garbage, again and again, is in vain."""
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture
def people_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """People read pull requests on local remotes too, and close them: what is told there is noted."""
    noting(monkeypatch)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture of the test: with the mark `process` the real evaluator scores."""
    trainer.stand_aside(item.get_closest_marker("process") is not None)


@pytest.fixture(scope="session")
def processes() -> Iterator[leaks.Watch]:
    with leaks.Watch() as watch:
        yield watch


@pytest.fixture(autouse=True)
def no_credential_stays(request: pytest.FixtureRequest, processes: leaks.Watch) -> Iterator[None]:
    """Search by value for every token that a GitHub on loopback gave out; see `tests.leaks`."""
    folders: list[Path] = []
    if "tmp_path" in request.fixturenames:
        folders.append(request.getfixturevalue("tmp_path"))
    yield
    if not leaks.SERVED:
        return
    shown = [text for _, _, text in request.node._report_sections]
    found = leaks.search(folders, [*shown, *leaks.PRINTED]) + processes.found
    processes.found.clear()
    leaks.forget_ended()
    assert found == [], "a credential was left behind"
