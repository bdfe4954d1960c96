"""After a crash: every kind of damage, in every place, is mended or told, and no event is lost in silence."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from bot.errors import UserError
from bot.git import Git
from bot.git.objects import write_blobs
from bot.git.remote import choose_remote
from bot.git.transfer import tracking_ref
from bot.ledger.records import Records
from bot.ledger.repair import repair
from bot.ledger.store import REF, LedgerStore
from tests.bot.storage import append, keys, make_bare, make_repository, object_file, sh, truncate

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
    ("side", "part", "how"),
    [
        ("here", "commit", empty), ("here", "tree", cut), ("here", "folder", garbage), ("here", "blob", gone),
        ("there", "commit", cut), ("there", "tree", garbage), ("there", "folder", gone), ("there", "blob", empty),
        ("here", "commit", gone), ("here", "blob", cut), ("there", "commit", gone),
    ],
)  # fmt: skip
def test_damage_on_one_side_loses_nothing(
    place: tuple[Git, str], side: str, part: str, how: Callable[[Path], None]
) -> None:
    git, remote = place[0], Path(place[1])
    damage(git.common_dir if side == "here" else remote, git.resolve("nocturne/ledger") or "", part, how)
    state = LedgerStore(*place, "main").load()
    assert [event["key"] for event in state.events] == NAMES
    assert any("copied from the other side" in note for note in state.notes)
    assert how is gone or any("nocturne/damaged" in note for note in state.notes)
    check_sound(git, remote)
    store = LedgerStore(*place, "main")
    append(store, "after")
    assert keys(store) == [*NAMES, "after"] and store.load().notes == ()
    check_sound(git, remote)


@pytest.mark.parametrize("part", PARTS)
def test_damage_on_both_sides_goes_back_and_says_so(place: tuple[Git, str], part: str) -> None:
    git, remote = place[0], Path(place[1])
    tip = git.resolve("nocturne/ledger") or ""
    for folder in (git.common_dir, remote):
        damage(folder, tip, part, empty)
    state = LedgerStore(*place, "main").load()
    found = [event["key"] for event in state.events]
    assert found == NAMES[:-1]
    assert any("up to 1 appends may be missing" in note for note in state.notes)
    append(LedgerStore(*place, "main"), NAMES[-1])
    assert keys(LedgerStore(*place, "main")) == NAMES
    check_sound(git, remote)


def test_different_damage_on_each_side_is_put_together(place: tuple[Git, str]) -> None:
    git, remote = place[0], Path(place[1])
    tip = git.resolve("nocturne/ledger") or ""
    damage(git.common_dir, tip, "blob", cut)
    damage(remote, tip, "tree", cut)
    assert keys(LedgerStore(*place, "main")) == NAMES
    check_sound(git, remote)


@pytest.mark.parametrize(
    ("side", "content"),
    [("here", b""), ("there", b""), ("both", b""), ("there", b"\0" * 41), ("here", b"garbage\n")],
)
def test_damaged_ref_file(place: tuple[Git, str], side: str, content: bytes) -> None:
    git, remote = place[0], Path(place[1])
    here, there = git.common_dir / tracking_ref(REF), remote / REF
    for path in {"here": [here], "there": [there], "both": [here, there]}[side]:
        path.write_bytes(content)
    state = LedgerStore(*place, "main").load()
    assert [event["key"] for event in state.events] == NAMES
    append(LedgerStore(*place, "main"), "after")
    assert keys(LedgerStore(*place, "main")) == [*NAMES, "after"]
    check_sound(git, remote)


def test_running_store_meets_damage(place: tuple[Git, str]) -> None:
    git, remote = place[0], Path(place[1])
    store = LedgerStore(*place, "main")
    store.load()
    tip = git.resolve("nocturne/ledger") or ""
    damage(git.common_dir, tip, "tree", empty)
    append(store, "after")
    assert keys(store) == keys(LedgerStore(*place, "main")) == [*NAMES, "after"]
    check_sound(git, remote)


def test_damaged_leftover_of_the_very_append_that_is_repeated(place: tuple[Git, str]) -> None:
    """A crash left the new blob empty; writing the same again must not trust the file that is there."""
    git, remote = place[0], Path(place[1])
    content = (git.read_blob("nocturne/ledger", "main/events/000001.jsonl") or b"") + b'{"key":"next"}\n'
    (name,) = write_blobs(git.run, [content])
    truncate(object_file(git.common_dir, name))
    store = LedgerStore(*place, "main")
    store.append(lambda _: [{"key": "next"}])
    assert keys(LedgerStore(*place, "main")) == [*NAMES, "next"]
    check_sound(git, remote)


def test_nothing_readable_left_is_one_line(place: tuple[Git, str]) -> None:
    git, remote = place[0], Path(place[1])
    for folder in (git.common_dir, remote):
        for name in sh(folder, "rev-list", REF if folder == remote else tracking_ref(REF)).split():
            truncate(object_file(folder, name))
    with pytest.raises(UserError, match="nothing readable is left of refs/heads/nocturne/ledger"):
        LedgerStore(*place, "main").load()


def test_first_append_ever_was_damaged(place: tuple[Git, str]) -> None:
    git, remote = place[0], Path(place[1])
    for folder, ref in ((git.common_dir, tracking_ref(REF)), (remote, REF)):
        sh(folder, "update-ref", "-d", ref)
        (folder / "logs" / ref).unlink(missing_ok=True)
    append(LedgerStore(*place, "main"), "a")
    tip = git.resolve("nocturne/ledger") or ""
    for folder in (git.common_dir, remote):
        damage(folder, tip, "commit", empty)
    state = LedgerStore(*place, "main").load()
    assert state.events == () and any("starting anew" in note for note in state.notes)
    append(LedgerStore(*place, "main"), "a")
    assert keys(LedgerStore(*place, "main")) == ["a"]


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
    assert len(repair(git, str(remote), REF)) == old[1].exists()
    assert not old[1].exists()


def test_a_fresh_lock_of_a_dead_process_is_outlasted(
    place: tuple[Git, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between lock and rename: our copy of the ref can't be moved until the lock is known to be stale."""
    monkeypatch.setattr("bot.ledger.repair.STALE_LOCK", 1.0)
    git, remote = place
    other = Git.open(make_repository(Path(remote).parent / "other").top)
    append(LedgerStore(other, remote, "main"), "by another")
    lock = git.common_dir / f"{tracking_ref(REF)}.lock"
    lock.touch()
    assert keys(LedgerStore(git, remote, "main")) == [*NAMES, "by another"]
    assert not lock.exists()


def test_nothing_wrong_no_notes_and_nothing_moved(place: tuple[Git, str]) -> None:
    git, remote = place[0], Path(place[1])
    before = git.resolve("nocturne/ledger")
    assert repair(git, str(remote), REF) == []
    assert git.resolve("nocturne/ledger") == before
    assert not (git.common_dir / "nocturne/damaged").exists()


def test_remote_over_the_network_gives_the_good_copy(tmp_path: Path) -> None:
    """A remote that is no folder of this machine for us: only what git's transport offers may be used."""
    git = make_repository(tmp_path / "repo")
    bare = Path(make_bare(tmp_path / "r.git"))

    class Far(Git):
        def remote_path(self, remote: str) -> Path | None:
            return None

    far = Far(git.top, git.common_dir)
    store = LedgerStore(far, str(bare), "main")
    for name in NAMES:
        append(store, name)
    tip = git.resolve("nocturne/ledger") or ""
    parts = [sh(git.top, "rev-parse", part.format(tip=tip)) for part in PARTS.values()]
    for name in parts:
        truncate(object_file(git.common_dir, name))
    state = LedgerStore(far, str(bare), "main").load()
    assert [event["key"] for event in state.events] == NAMES and state.notes
    check_sound(git, bare)


def test_records_outside_branches_are_repaired_too(place: tuple[Git, str]) -> None:
    git, remote = place
    records = Records(git, remote, "refs/nocturne/forge")
    records.update(lambda _: {"a": b"1"}, "1")
    tip = records.update(lambda _: {"a": b"2"}, "2").commit or ""
    for folder in (git.common_dir, Path(remote)):
        truncate(object_file(folder, tip))
    snapshot = Records(git, remote, "refs/nocturne/forge").load()
    assert snapshot.read("a") == b"1" and any("may be missing" in note for note in snapshot.notes)


def test_the_users_own_objects_are_left_alone(place: tuple[Git, str]) -> None:
    git, remote = place[0], Path(place[1])
    before = {path: path.read_bytes() for path in (git.common_dir / "objects").glob("??/*")}
    damage(remote, git.resolve("nocturne/ledger") or "", "blob", empty)
    LedgerStore(*place, "main").load()
    after = {path: path.read_bytes() for path in (git.common_dir / "objects").glob("??/*")}
    assert before == after
    assert git.commit_files(None, {"a": b""}, "m", datetime(2026, 1, 1, tzinfo=timezone.utc))
