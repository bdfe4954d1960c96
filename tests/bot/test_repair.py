"""After a crash: stale locks go, what is damaged here comes from the remote again, and the rest is told in one line."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.errors import UserError
from bot.git import Git
from bot.git.remote import choose_remote
from bot.git.repair import drop_stale_locks
from bot.git.transfer import tracking_ref
from bot.ledger.store import REF, LedgerStore
from tests.bot.storage import append, keys, make_bare, make_repository, object_file, sh, truncate
from tests.families import few

NAMES = [f"e{number}" for number in range(8)]
PARTS = {
    "commit": "{tip}",
    "tree": "{tip}^{{tree}}",
    "folder": "{tip}:main/events",
    "blob": "{tip}:main/events/000001.jsonl",
}


def put(folder: Path, kind: str) -> tuple[Git, str]:
    git = Git.open(folder / "repo")
    return git, choose_remote(git, None, {}).name_or_url if kind == "embedded" else str(folder / "r.git")


@pytest.fixture(scope="module", params=["embedded", "bare"])
def ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Write a ledger of a few appends, to be copied by each test; return its folder and its kind."""
    folder = tmp_path_factory.mktemp("ledger")
    make_repository(folder / "repo")
    make_bare(folder / "r.git")
    store = LedgerStore(*put(folder, request.param), "main")
    for name in NAMES:
        append(store, name)
    return folder, request.param


@pytest.fixture
def place(ledger: tuple[Path, str], tmp_path: Path) -> tuple[Git, str]:
    """Give a repository and a remote that hold the ledger."""
    shutil.copytree(ledger[0], tmp_path / "copy")
    return put(tmp_path / "copy", ledger[1])


def damage(folder: Path, tip: str, part: str, how: Callable[[Path], None]) -> None:
    name = sh(folder, "rev-parse", PARTS[part].format(tip=tip))
    how(object_file(folder, name))


def check_sound(git: Git, remote: Path) -> None:
    for folder, ref in ((git.common_dir, tracking_ref(REF)), (remote, REF)):
        sh(folder, "rev-list", "--objects", "--quiet", ref)
        sh(folder, "fsck", "--connectivity-only", "--no-dangling")


def empty(path: Path) -> None:
    truncate(path)


def cut(path: Path) -> None:
    truncate(path, path.stat().st_size // 2)


def garbage(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(os.urandom(path.stat().st_size))


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("part", "how"),
    few([("commit", empty), ("tree", cut), ("folder", garbage), ("blob", gone), ("commit", gone)], 2),
)
def test_what_is_damaged_here_is_fetched_again(
    place: tuple[Git, str], part: str, how: Callable[[Path], None]
) -> None:
    git, remote = place[0], Path(place[1])
    object_names = [
        sh(git.top, "rev-parse", each.format(tip=git.resolve("nocturne/ledger"))) for each in PARTS.values()
    ]
    for name in object_names:  # a file that both sides share is damaged on both: here each has its own
        path = object_file(git.common_dir, name)
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    damage(git.common_dir, git.resolve("nocturne/ledger") or "", part, how)
    git = Git.open(git.top)
    state = LedgerStore(git, place[1], "main").load()
    assert [event["key"] for event in state.events] == NAMES
    assert any("fetched again from the remote" in note for note in state.notes)
    assert how is gone or any((git.common_dir / "nocturne/damaged").iterdir())
    store = LedgerStore(git, place[1], "main")
    append(store, "after")
    assert keys(store) == [*NAMES, "after"] and store.load().notes == ()
    check_sound(git, remote)


def test_what_is_damaged_on_both_sides_is_one_line(place: tuple[Git, str]) -> None:
    git, remote = place[0], Path(place[1])
    tip = git.resolve("nocturne/ledger") or ""
    for folder in (git.common_dir, remote):
        if object_file(folder, sh(folder, "rev-parse", PARTS["blob"].format(tip=tip))).stat().st_size:
            damage(folder, tip, "blob", empty)
    with pytest.raises(UserError, match=r"cannot be read, nor fetched from the remote.*git fsck") as caught:
        LedgerStore(Git.open(git.top), place[1], "main").load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", few([b"", b"\0" * 41, b"garbage\n"], 2))
def test_damaged_file_of_our_copy_of_the_ref(place: tuple[Git, str], content: bytes) -> None:
    git, remote = place[0], Path(place[1])
    (git.common_dir / tracking_ref(REF)).write_bytes(content)
    assert [event["key"] for event in LedgerStore(*place, "main").load().events] == NAMES
    append(LedgerStore(*place, "main"), "after")
    assert keys(LedgerStore(*place, "main")) == [*NAMES, "after"]
    check_sound(git, remote)


def test_stale_locks_go_and_fresh_ones_stay(place: tuple[Git, str]) -> None:
    git, remote = place[0], Path(place[1])
    old = [remote / f"{REF}.lock", git.common_dir / f"{tracking_ref(REF)}.lock"]
    fresh, foreign = remote / "refs/heads/nocturne/fresh.lock", remote / "refs/heads/main.lock"
    for lock in (*old, fresh, foreign):
        lock.touch()
    for lock in (*old, foreign):
        os.utime(lock, (time.time() - 90, time.time() - 90))
    append(LedgerStore(*place, "main"), "after")
    assert keys(LedgerStore(*place, "main")) == [*NAMES, "after"]
    assert not old[0].exists() and fresh.exists() and foreign.exists()
    assert len(drop_stale_locks(git, str(remote))) == old[1].exists()
    assert not old[1].exists()


@pytest.mark.long
def test_a_fresh_lock_of_a_dead_process_is_outlasted(
    place: tuple[Git, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between lock and rename: our copy of the ref can't be moved until the lock is known to be stale."""
    monkeypatch.setattr("bot.git.repair.STALE_LOCK", 1.0)
    git, remote = place
    other = Git.open(make_repository(Path(remote).parent / "other").top)
    append(LedgerStore(other, remote, "main"), "by another")
    lock = git.common_dir / f"{tracking_ref(REF)}.lock"
    lock.touch()
    assert keys(LedgerStore(git, remote, "main")) == [*NAMES, "by another"]
    assert not lock.exists()


def test_remote_over_the_network_gives_the_good_copy(tmp_path: Path) -> None:
    """A remote that is no folder of this machine for us: only what git's transport offers may be used."""
    git = make_repository(tmp_path / "repo")
    bare = Path(make_bare(tmp_path / "r.git"))

    class Far(Git):
        def remote_path(self, remote: str) -> Path | None:
            return None

    store = LedgerStore(Far(git.top, git.common_dir), str(bare), "main")
    for name in NAMES:
        append(store, name)
    tip = git.resolve("nocturne/ledger") or ""
    truncate(object_file(git.common_dir, sh(git.top, "rev-parse", PARTS["folder"].format(tip=tip))))
    state = LedgerStore(Far(git.top, git.common_dir), str(bare), "main").load()
    assert [event["key"] for event in state.events] == NAMES and state.notes
    check_sound(git, bare)
