"""The forges, each against the one conformance suite, and what is the local one's alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.forge import Report, Review
from bot.forge.local import LocalForge
from bot.git import Git, PushResult, RefUpdate, RemoteUnreachable
from bot.git.remote import choose_remote
from tests.bot.forge_conformance import *  # noqa: F403
from tests.bot.forge_conformance import BASE, EXP, World
from tests.bot.storage import make_bare, make_repository


def local_embedded(folder: Path) -> World:
    """One repository with the forge inside it."""
    git = make_repository(folder / "repo")
    remote = choose_remote(git, None, {}).name_or_url
    return World(git, LocalForge(git, remote), lambda: LocalForge(git, remote))


def local_bare(folder: Path) -> World:
    """A bare repository that several machines push to: each `again` is another clone."""
    git = make_repository(folder / "repo")
    remote = make_bare(folder / "remote.git")
    others = iter(range(100))

    def again() -> LocalForge:
        return LocalForge(make_repository(folder / f"other-{next(others)}"), remote)

    return World(git, LocalForge(git, remote), again)


IMPLEMENTATIONS: list[Callable[[Path], World]] = [local_embedded, local_bare]


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda make: make.__name__)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    made: World = request.param(tmp_path)
    return made


def test_each_operation_is_at_most_one_push(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pushes: list[int] = []
    real = Git.push

    def counted(git: Git, remote: str, updates: Sequence[RefUpdate]) -> PushResult:
        pushes.append(1)
        return real(git, remote, updates)

    first, second = world.start()
    monkeypatch.setattr(Git, "push", counted)
    forge = world.forge
    number = forge.open_pull(head=EXP, base=BASE, title="t", body="b").number
    operations: list[Callable[[], Any]] = [
        lambda: forge.edit_pull(number, body="c", labels=("a",), close=False),
        lambda: forge.set_status(sha=second, context="c", state="success", description="d"),
        lambda: forge.put_report(second, Report("nocturne/report", "neutral", "t", "s", "x")),
        lambda: forge.upsert_comment(number, "k", "b"),
        lambda: forge.review_pull(number, second, Review("review/1", "b"), instead="b"),
        lambda: forge.land(BASE, second, first),
    ]
    assert len(pushes) == 1
    for done, operation in enumerate(operations, start=2):
        operation()
        assert len(pushes) == done
    for operation in operations:  # repeated, nothing is written
        operation()
    assert len(pushes) == 1 + len(operations)


def test_unreachable_home_is_said(tmp_path: Path) -> None:
    forge = LocalForge(make_repository(tmp_path / "repo"), "/no/such/place.git")
    with pytest.raises(RemoteUnreachable):
        forge.branch_head("x")
    with pytest.raises(RemoteUnreachable):
        forge.get_pull(1)
