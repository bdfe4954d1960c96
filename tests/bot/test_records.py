"""Records and the ledger's events: concurrent writers, kills, a full disk, broken lines, schemas, cost."""

from __future__ import annotations

import json
import random
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from bot.base.process import run
from bot.errors import UserError
from bot.git import Git, RefUpdate, RemoteUnreachable
from bot.git import command as git_command
from bot.git.remote import choose_remote
from bot.git.store import Store
from bot.ledger.records import Records, Snapshot
from bot.ledger.store import REF, SEGMENT_EVENTS, LedgerStore
from tests.bot.storage import append, events, finish, keys, make_bare, make_repository, own_mounts, python, sh

WHEN = datetime(2026, 3, 1, tzinfo=timezone.utc)
WRITER = """
import sys
from pathlib import Path
from bot.git import Git
from bot.ledger.store import LedgerStore
from bot.git.remote import choose_remote
folder, remote, name, count = sys.argv[1:]
git = Git.open(Path(folder))
store = LedgerStore(git, remote, "main")
for number in range(int(count)):
    store.append(lambda _: [{"key": f"{name}-{number}", "kind": "test"}])
"""


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return make_repository(tmp_path / "repo")


@pytest.fixture
def remote(tmp_path: Path) -> str:
    return make_bare(tmp_path / "remote.git")


@pytest.fixture
def store(git: Git, remote: str) -> LedgerStore:
    return LedgerStore(git, remote, "main")


def write_ledger(git: Git, remote: str, files: dict[str, bytes | None]) -> None:
    """Write files of the ledger past the store."""
    old = git.fetch(remote, [REF]).get(REF)
    assert git.push(remote, [RefUpdate(REF, git.commit_files(old, files, "by hand", WHEN), old)]).pushed


def segment(git: Git, remote: str, number: int = 1) -> bytes:
    content = git.read_blob(git.fetch(remote, [REF])[REF], f"main/events/{number:06d}.jsonl")
    assert content is not None
    return content


def count_reads(monkeypatch: pytest.MonkeyPatch, sizes: list[int]) -> None:
    """Note the bytes of every object that is read in process."""
    real = Store.read

    def counted(store: Store, sha: str, kind: str) -> bytes:
        found = real(store, sha, kind)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(Store, "read", counted)


def paths(tree: Snapshot) -> list[str]:
    """Return the paths of all files of a tree, sorted."""
    return sorted(entry.path for entry in tree.git.list_tree(tree.commit or ""))


def test_records_write_read_delete(git: Git, remote: str) -> None:
    records = Records(git, remote, "refs/nocturne/things")
    assert records.read(lambda now: now.commit) is None
    first = records.update(lambda _: {"a/one": b"1", "a/two": b"2", "b": b"\0\xff"}, "first")
    assert paths(first) == ["a/one", "a/two", "b"]
    assert records.update(lambda _: None, "nothing").commit == first.commit
    second = records.update(lambda now: {"a/one": None, "b": (now.read("b") or b"") + b"!"}, "second")
    assert paths(second) == ["a/two", "b"]
    assert Records(git, remote, "refs/nocturne/things").read(lambda now: now.read("b")) == b"\0\xff!"
    assert second.read("a/one") is None
    assert sh(git.top, "log", "--format=%H %s", second.commit or "").splitlines() == [
        f"{second.commit} second", f"{first.commit} first",
    ]  # fmt: skip


def test_change_is_asked_again_when_somebody_else_was_first(tmp_path: Path, git: Git, remote: str) -> None:
    mine = Records(git, remote, "refs/nocturne/things")
    theirs = Records(make_repository(tmp_path / "other"), remote, "refs/nocturne/things")
    theirs.update(lambda _: {"n": b"0"}, "start")
    seen: list[bytes] = []

    def change(now: Snapshot) -> dict[str, bytes | None] | None:
        seen.append(now.read("n") or b"")
        if len(seen) < 3:
            theirs.update(lambda _: {"n": b"%d" % len(seen)}, "theirs")
        return {"mine": seen[-1]}

    assert paths(mine.update(change, "mine")) == ["mine", "n"]
    assert seen == [b"0", b"1", b"2"]
    sense: list[int] = []
    mine.update(lambda now: sense.append(1) if now.read("mine") else {"x": b""}, "no longer makes sense")
    assert sense == [1]


def test_attempts_are_bounded_and_refusals_named(git: Git, remote: str) -> None:
    records = Records(git, remote, REF)
    lock = Path(remote, f"{REF}.lock")
    lock.parent.mkdir(parents=True)
    lock.touch()
    asked: list[int] = []
    with pytest.raises(UserError, match="in 3 attempts"):
        records.update(lambda _: asked.append(1) or {"a": b"1"}, "m", attempts=3)  # type: ignore[func-returns-value]
    assert len(asked) == 3
    lock.unlink()
    hook = Path(remote, "hooks/update")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(UserError, match="refuses to move refs/heads/nocturne/ledger"):
        records.update(lambda _: {"a": b"1"}, "m")


def test_append_and_load(git: Git, remote: str, store: LedgerStore) -> None:
    assert store.load().events == ()
    state = store.append(lambda _: events("a", "b"), {"logs/1.txt": b"tail"})
    assert [event["key"] for event in state.events] == ["a", "b"]
    assert store.append(lambda _: events("b", "a")).commit == state.commit
    assert store.append(lambda _: []).commit == state.commit
    append(store, "b", "c", "c")
    seen: list[int] = []
    store.append(lambda s: events("d"), lambda s: seen.append(len(s.events)) or {"README.md": b"4"})  # type: ignore[func-returns-value]
    assert seen == [3]
    fresh = LedgerStore(git, remote, "main")
    assert keys(fresh) == keys(store) == ["a", "b", "c", "d"]
    assert fresh.load() == store.load()
    assert store.read_file("logs/1.txt") == b"tail" and fresh.read_file("nothing") is None
    assert sh(git.top, "log", "-1", "--format=%s", "nocturne/ledger") == "main: test"
    assert segment(git, remote).splitlines()[0] == b'{"key":"a","kind":"test","text":"what a says"}'
    assert git.read_blob("nocturne/ledger", "main/schema") == b"1\n"


def test_campaigns_are_apart(git: Git, remote: str, store: LedgerStore) -> None:
    other = LedgerStore(git, remote, "other.one")
    append(store, "a")
    append(other, "a", "b")
    assert store.campaigns() == ["main", "other.one"]
    assert (keys(store), keys(other)) == (["a"], ["a", "b"])
    with pytest.raises(UserError, match="use letters"):
        LedgerStore(git, remote, "../up")


def test_odd_values_come_back_and_nan_is_refused(git: Git, remote: str, store: LedgerStore) -> None:
    event = {"key": "odd", "text": "snö\u2028\n\udc80 \0", "number": 0.1, "list": [None, True, {"ü": 1}]}
    store.append(lambda _: [event])
    append(store, "after")
    assert LedgerStore(git, remote, "main").load().events[0] == event
    with pytest.raises(ValueError):
        store.append(lambda _: [{"key": "nan", "score": float("nan")}])
    with pytest.raises(ValueError, match="needs a key"):
        store.append(lambda _: [{"kind": "test"}])
    assert keys(store) == ["odd", "after"]


def test_segments_roll_over(git: Git, remote: str, store: LedgerStore) -> None:
    names = [f"e{number}" for number in range(2 * SEGMENT_EVENTS + 5)]
    append(store, *names[:1])
    append(store, *names[1 : SEGMENT_EVENTS - 1])
    append(store, *names[SEGMENT_EVENTS - 1 :])
    append(store, "last")
    sizes = [segment(git, remote, number).count(b"\n") for number in (1, 2, 3)]
    assert sizes == [SEGMENT_EVENTS, SEGMENT_EVENTS, 6]
    assert keys(LedgerStore(git, remote, "main")) == keys(store) == [*names, "last"]


@pytest.mark.parametrize("where", ["bare", pytest.param("embedded", marks=pytest.mark.long)])
@pytest.mark.long
def test_two_processes_lose_and_double_nothing(tmp_path: Path, git: Git, remote: str, where: str) -> None:
    if where == "bare":  # two machines: each has a repository of its own
        folders = [git.top, make_repository(tmp_path / "second").top]
    else:  # two loops in one repository
        folders = [git.top, git.top]
        remote = choose_remote(git, None, {}).name_or_url
    writers = [
        python(WRITER, str(folder), remote, name, "50") for folder, name in zip(folders, "ab", strict=True)
    ]
    for writer in writers:
        finish(writer)
    found = keys(LedgerStore(git, remote, "main"))
    for name in "ab":  # nothing lost, nothing doubled, each in its order
        assert [key for key in found if key.startswith(name)] == [f"{name}-{number}" for number in range(50)]
    assert len(found) == 100
    sh(Path(remote), "fsck", "--strict")


@pytest.mark.long
def test_writers_killed_at_any_moment_leave_a_good_ledger(git: Git, remote: str) -> None:
    rng = random.Random(7)
    total = 40
    for _ in range(8):
        writer = python(WRITER, str(git.top), remote, "k", str(total))
        time.sleep(0.35 + rng.random() * 0.4)
        writer.kill()
        writer.communicate(timeout=30)
    finish(python(WRITER, str(git.top), remote, "k", str(total)))
    assert keys(LedgerStore(git, remote, "main")) == [f"k-{number}" for number in range(total)]
    sh(Path(remote), "fsck", "--strict")
    assert sh(git.top, "status", "--porcelain") == ""


def test_full_disk_loses_nothing_and_the_same_append_works_afterwards(tmp_path: Path) -> None:
    command = own_mounts()
    code = """
import os, subprocess, sys
from pathlib import Path
from bot.errors import UserError
from bot.git import Git
from bot.ledger.store import LedgerStore
from bot.git.remote import choose_remote
disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=True)
os.environ["TMPDIR"] = str(disk)
repo = disk / "repo"
subprocess.run(["git", "init", "-q", "--template=", str(repo)], check=True)
git = Git.open(repo)
store = LedgerStore(git, choose_remote(git, None, {}).name_or_url, "main")
ballast = disk / "ballast"
failed, done = set(), 0
for left in (4_000, 12_000, 20_000, 28_000, 40_000, 60_000):
    store.append(lambda _: [{"key": f"fits{left}"}])
    done += 1
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    ballast.write_bytes(b"x" * (free - left))
    event = {"key": f"big{left}", "text": os.urandom(8_000).hex()}
    try:
        store.append(lambda _: [event])
    except UserError as error:
        assert "the disk is full" in str(error), error
        failed.add(left)
    ballast.unlink()
    state = store.append(lambda _: [event])
    done += 1
    fresh = LedgerStore(git, choose_remote(git, None, {}).name_or_url, "main").load()
    assert len(state.events) == len(fresh.events) == done, (left, len(state.events), done, fresh.notes)
assert len(failed) >= 3, failed
"""
    (tmp_path / "disk").mkdir()
    finish(python(code, str(tmp_path / "disk"), before=command))


def test_unreachable_remote_then_reachable(tmp_path: Path, git: Git, remote: str) -> None:
    store = LedgerStore(git, remote, "main")
    append(store, "a")
    Path(remote).rename(tmp_path / "away.git")
    with pytest.raises(RemoteUnreachable, match="git ls-remote"):
        append(store, "b")
    with pytest.raises(RemoteUnreachable):
        store.load()
    (tmp_path / "away.git").rename(remote)
    append(store, "b")
    assert keys(store) == ["a", "b"]


def test_newer_schema_is_refused_in_one_line(git: Git, remote: str, store: LedgerStore) -> None:
    append(store, "a")
    append(LedgerStore(git, remote, "other"), "x")
    write_ledger(git, remote, {"main/schema": b"3\n"})
    for use in (store.load, lambda: append(store, "b")):
        with pytest.raises(
            UserError, match=r"newer Nocturne \(schema 3, this one reads up to 1\): upgrade with"
        ):
            use()
    assert keys(LedgerStore(git, remote, "other")) == ["x"]


def test_older_schema_is_migrated_once(git: Git, remote: str, store: LedgerStore) -> None:
    names = [f"e{number}" for number in range(SEGMENT_EVENTS + 3)]
    append(store, *names)

    def louder(old: Any) -> list[dict[str, Any]]:
        return [event | {"text": event["text"].upper()} for event in old if event["key"] != "e1"]

    newer = LedgerStore(git, remote, "main", schema=3, migrations={1: louder, 2: list})
    assert newer.load().events[0]["text"] == "WHAT E0 SAYS"
    assert newer.load().commit == store.load().commit  # reading writes nothing
    append(newer, "new")
    append(newer, "newer")
    expected = [name for name in names if name != "e1"] + ["new", "newer"]
    assert keys(newer) == keys(LedgerStore(git, remote, "main", schema=3)) == expected
    assert segment(git, remote).splitlines()[0].endswith(b'"text":"WHAT E0 SAYS"}')
    with pytest.raises(UserError, match="newer Nocturne"):
        store.load()
    with pytest.raises(UserError, match="cannot bring up to date"):
        LedgerStore(git, remote, "main", schema=5).load()


@pytest.mark.parametrize("cut", [b'{"key":"x","te', b'{"key":"x","te\n', b"\xff\xfe\0"])
def test_cut_last_line_is_dropped_with_a_note(git: Git, remote: str, store: LedgerStore, cut: bytes) -> None:
    append(store, "a", "b")
    write_ledger(git, remote, {"main/events/000001.jsonl": segment(git, remote) + cut})
    note = "the ledger's last line was cut off: dropped, 2 events intact"
    for reader in (store, LedgerStore(git, remote, "main")):
        state = reader.load()
        assert [event["key"] for event in state.events] == ["a", "b"]
        assert note in state.notes
    append(store, "c")
    fresh = LedgerStore(git, remote, "main").load()
    assert [event["key"] for event in fresh.events] == ["a", "b", "c"] and fresh.notes == ()


def test_whole_last_line_without_newline_is_kept(git: Git, remote: str, store: LedgerStore) -> None:
    append(store, "a", "b")
    write_ledger(git, remote, {"main/events/000001.jsonl": segment(git, remote)[:-1]})
    append(store, "c")
    assert keys(LedgerStore(git, remote, "main")) == ["a", "b", "c"]


def test_broken_line_in_the_middle_is_named(git: Git, remote: str, store: LedgerStore) -> None:
    append(store, "a", "b", "c")
    lines = segment(git, remote).splitlines(keepends=True)
    write_ledger(git, remote, {"main/events/000001.jsonl": lines[0] + b"{broken\n" + lines[2]})
    for reader in (store, LedgerStore(git, remote, "main")):
        with pytest.raises(UserError, match=r"main/events/000001.jsonl: line 2 is not an event"):
            reader.load()


def test_past_changed_by_others_is_read_again(git: Git, remote: str, store: LedgerStore) -> None:
    append(store, "a", "b")
    lines = segment(git, remote).splitlines(keepends=True)
    write_ledger(git, remote, {"main/events/000001.jsonl": lines[1]})
    assert keys(store) == ["b"]
    append(store, "a")
    assert keys(store) == keys(LedgerStore(git, remote, "main")) == ["b", "a"]


def test_ledger_deleted_on_the_remote_is_kept_here_and_noted(
    git: Git, remote: str, store: LedgerStore
) -> None:
    append(store, "a")
    old = store.load().commit
    sh(Path(remote), "update-ref", "-d", REF)
    state = store.load()
    assert state.events == () and len(state.notes) == 1
    kept = state.notes[0].rpartition(" ")[2]
    assert git.resolve(kept) == old
    append(store, "b")
    assert keys(LedgerStore(git, remote, "main")) == ["b"]


@pytest.mark.long
def test_append_costs_the_same_at_100_000_events(
    git: Git, remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Count processes, objects and bytes of one append: nothing may grow with the ledger's length."""
    small = LedgerStore(git, remote, "small")
    append(small, *[f"e{number}" for number in range(500)])
    lines = [
        json.dumps({"key": f"e{number}", "kind": "test", "text": "x" * 40}).encode() + b"\n"
        for number in range(99_500)
    ]
    starts = range(0, len(lines), SEGMENT_EVENTS)
    files: dict[str, bytes | None] = {
        f"big/events/{number:06d}.jsonl": b"".join(lines[start : start + SEGMENT_EVENTS])
        for number, start in enumerate(starts, start=1)
    }
    write_ledger(git, remote, files | {"big/schema": b"1\n"})
    big = LedgerStore(git, remote, "big")
    assert len(big.load().events) == 99_500

    calls: list[int] = []
    count_reads(monkeypatch, calls)

    def counted(command: Any, **options: Any) -> bytes:
        calls.append(len(options.get("stdin") or b""))
        said: bytes = run(command, **options)
        calls[-1] += len(said)
        return said

    def cost(store: LedgerStore, name: str) -> tuple[int, int, int]:
        """Return (processes and reads, their bytes, objects written) of one append by a store that has loaded."""
        store.load()
        calls.clear()
        before = set((git.common_dir / "objects").glob("??/*"))
        append(store, name)
        return len(calls), sum(calls), len(set((git.common_dir / "objects").glob("??/*")) - before)

    monkeypatch.setattr(git_command, "run", counted)
    in_small, in_big = cost(small, "new"), cost(big, "new")
    assert in_big[0] == in_small[0] <= 16
    assert in_big[2] == in_small[2] == 5  # a segment, three trees, a commit
    assert in_big[1] < in_small[1] + 40_000  # the names of a hundred segments come on top
    calls.clear()
    assert len(big.load().events) == 99_501
    assert sum(calls) < 2_000  # nothing is read again


def test_reading_after_somebody_elses_append_reads_the_last_segment_only(
    tmp_path: Path, git: Git, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LedgerStore(git, remote, "main")
    append(store, *[f"e{number}" for number in range(3 * SEGMENT_EVENTS + 10)])
    other = LedgerStore(make_repository(tmp_path / "other"), remote, "main")
    assert len(other.load().events) == 3 * SEGMENT_EVENTS + 10
    append(store, "new")
    read: list[int] = []
    count_reads(monkeypatch, read)

    def counted(command: Any, **options: Any) -> bytes:
        said: bytes = run(command, **options)
        read.append(len(said))
        return said

    monkeypatch.setattr(git_command, "run", counted)
    assert keys(other)[-1] == "new"
    assert sum(read) < 5_000


def test_damaged_settings_and_worktrees_do_not_matter(
    tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    sh(git.top, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "side")
    sh(git.top, "config", "core.hooksPath", "/nonexistent")
    sh(git.top, "config", "commit.gpgsign", "true")
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    linked = Git.open(tmp_path / "linked")
    ours, theirs = (choose_remote(g, None, {}).name_or_url for g in (git, linked))
    assert ours == theirs
    append(LedgerStore(linked, theirs, "main"), "from the worktree")
    append(LedgerStore(git, ours, "main"), "from the main one")
    assert keys(LedgerStore(linked, theirs, "main")) == ["from the worktree", "from the main one"]
