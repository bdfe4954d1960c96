"""The local forge: with people on it against the conformance suite, and what it is by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bot.errors import UserError
from bot.forge import Report, Review
from bot.forge.local import LocalForge
from bot.git import Git, PushResult, RefUpdate, RemoteUnreachable
from bot.git.remote import choose_remote
from bot.rules.events import PullOpened
from tests.bot.forge_conformance import *  # noqa: F403
from tests.bot.forge_conformance import WHEN, World
from tests.bot.forge_readers import NotingForge
from tests.bot.storage import make_bare, make_repository, sh


def local_embedded(folder: Path) -> World:
    """One repository with the forge inside it."""
    git = make_repository(folder / "repo")
    remote = choose_remote(git, None, {}).name_or_url
    return World(git, NotingForge(git, remote), lambda: NotingForge(git, remote))


def local_bare(folder: Path) -> World:
    """A bare repository that several machines push to: each `again` is another clone."""
    git = make_repository(folder / "repo")
    remote = make_bare(folder / "remote.git")
    others = iter(range(100))

    def again() -> NotingForge:
        return NotingForge(make_repository(folder / f"other-{next(others)}"), remote)

    return World(git, NotingForge(git, remote), again)


IMPLEMENTATIONS: list[Callable[[Path], World]] = [local_embedded, local_bare]


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda make: make.__name__)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    made: World = request.param(tmp_path)
    return made


def local(folder: Path, name: str = "repo") -> tuple[Git, LocalForge]:
    git = make_repository(folder / name)
    if not (folder / "remote.git").exists():
        make_bare(folder / "remote.git")
    return git, LocalForge(git, str(folder / "remote.git"))


def commit(git: Git, parent: str | None, content: str) -> str:
    return git.commit_files(parent, {"train.py": content.encode()}, content, WHEN)


EXPERIMENT, CAMPAIGN = "nocturne/exp/main/7", "nocturne/main"
OPENED = PullOpened(7, 7, EXPERIMENT, "")


def test_nothing_but_branches_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git, forge = local(tmp_path)
    first = commit(git, None, "first")
    second = commit(git, first, "second")
    forge.push_branch(CAMPAIGN, first)
    pushes: list[int] = []
    real = Git.push

    def counted(git: Git, remote: str, updates: Sequence[RefUpdate]) -> PushResult:
        pushes.append(len(updates))
        return real(git, remote, updates)

    monkeypatch.setattr(Git, "push", counted)
    forge.replace_branch(EXPERIMENT, second)
    for _ in range(2):
        pull = forge.open_pull(head=EXPERIMENT, base=CAMPAIGN, title="t", body="b", number=7)
        assert (pull.number, pull.head_sha, pull.state, pull.url) == (
            7,
            second,
            "open",
            f"local:{EXPERIMENT}",
        )
        assert forge.edit_pull(7, body="c", labels=("nocturne",)) == "open"
        forge.set_status(sha=second, context="c", state="success", description="d")
        assert not forge.put_report(second, Report("nocturne/report", "neutral", "t", "s", "x"))
        forge.upsert_comment(7, "k", "b")
        forge.review_pull(7, second, Review("review/1", "b"), instead="b")
        assert forge.upsert_issue("k", title="t", body="b", labels=()) == (0, "")
        forge.close_issue(0, "completed")
        assert forge.reviewed({7: ""}) == {} and forge.deeds(7) == []
    assert pushes == [2], "the branch, and what keeps its commits"
    assert forge.pull_state(7, head=second, base=CAMPAIGN) == "open"
    assert forge.land(CAMPAIGN, second, first) == "landed"
    assert forge.delete_branch(EXPERIMENT) is None
    assert pushes == [2, 1, 1] and forge.pull_state(7, head=second, base=CAMPAIGN) == "merged"
    refs = sh(tmp_path / "remote.git", "for-each-ref", "--format=%(refname)").splitlines()
    assert refs == [f"refs/heads/{CAMPAIGN}", "refs/nocturne/kept/main/7"]


def test_a_pull_request_needs_its_branch(tmp_path: Path) -> None:
    _, forge = local(tmp_path)
    with pytest.raises(UserError, match="push it before its pull request"):
        forge.open_pull(head=EXPERIMENT, base=CAMPAIGN, title="t", body="b", number=7)


def test_the_last_commits_of_a_deleted_branch_are_had_again(tmp_path: Path) -> None:
    git, forge = local(tmp_path)
    first = commit(git, None, "first")
    for word in ("one", "other"):
        forge.replace_branch(EXPERIMENT, last := commit(git, first, word))
    forge.delete_branch(EXPERIMENT)
    sh(tmp_path / "remote.git", "gc", "--quiet", "--prune=now")
    elsewhere, there = local(tmp_path, "other")
    assert there.branch_head(EXPERIMENT) is None and elsewhere.resolve(last) is None
    there.fetch_pulls([OPENED])
    assert elsewhere.resolve(last) == last


def test_the_lock_of_a_process_that_was_killed_keeps_nobody_from_a_branch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.git.repair.STALE_LOCK", 0.3)
    for name, make in {"embedded": local_embedded, "bare": local_bare}.items():
        (tmp_path / name).mkdir()
        world = make(tmp_path / name)
        git, forge = world.git, world.forge
        first = commit(git, None, "first")
        second = commit(git, first, "second")
        place = git.remote_path(choose_remote(git, None, {}).name_or_url) if name == "embedded" else None
        place = place or tmp_path / name / "remote.git"

        def killed(branch: str, at: Path = place) -> None:
            lock = at / f"refs/heads/{branch}.lock"
            lock.parent.mkdir(parents=True, exist_ok=True)
            lock.touch()

        killed(EXPERIMENT)
        forge.replace_branch(EXPERIMENT, first)
        killed(EXPERIMENT)
        forge.replace_branch(EXPERIMENT, second)
        killed(CAMPAIGN)
        assert forge.land(CAMPAIGN, first, None) == "landed"
        killed(CAMPAIGN)
        assert forge.land(CAMPAIGN, second, first) == "landed"
        killed(EXPERIMENT)
        forge.delete_branch(EXPERIMENT)
        assert world.again().branch_head(CAMPAIGN) == second and world.again().branch_head(EXPERIMENT) is None


def test_heads_that_earlier_versions_kept_are_found(tmp_path: Path) -> None:
    git, _ = local(tmp_path)
    old = commit(git, None, "old")
    git.push(str(tmp_path / "remote.git"), [RefUpdate("refs/nocturne/pull/3/head", old, None)])
    elsewhere, there = local(tmp_path, "other")
    there.fetch_pulls([PullOpened(2, 3, "nocturne/exp/main/2", "local:pull/3"), OPENED])
    assert elsewhere.resolve(old) == old


def test_unreachable_home_is_said(tmp_path: Path) -> None:
    forge = LocalForge(make_repository(tmp_path / "repo"), "/no/such/place.git")
    with pytest.raises(RemoteUnreachable):
        forge.branch_head("x")
    with pytest.raises(RemoteUnreachable):
        forge.pull_state(1, head="1" * 40, base="x")
