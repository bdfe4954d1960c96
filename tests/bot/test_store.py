"""Objects and refs in process: what git would make of them, and what it would refuse."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from bot.base.process import run
from bot.errors import UserError
from bot.git import Damaged, Git, RefUpdate
from bot.git import command as git_command
from bot.git.command import Locked
from bot.git.moving import Taken
from bot.git.remote import choose_remote
from bot.git.store import Store
from bot.ledger.store import REF, LedgerStore
from tests.bot.storage import append, keys, make_repository, object_file, sh, truncate

WHEN = datetime(2026, 3, 1, 22, 0, tzinfo=timezone.utc)
ONE, OTHER = "refs/heads/nocturne/one", "refs/nocturne/other"


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return make_repository(tmp_path / "repo")


def two_commits(git: Git) -> tuple[str, str]:
    first = git.commit_files(None, {"a": b"1"}, "1", WHEN)
    return first, git.commit_files(first, {"a": b"2"}, "2", WHEN)


@pytest.mark.parametrize("packed", [False, True])
def test_refs_move_together_from_where_they_are_and_else_not_at_all(git: Git, packed: bool) -> None:
    first, second = two_commits(git)
    git.store.move({ONE: (None, first), OTHER: (None, first)}, "made")
    if packed:
        sh(git.top, "pack-refs", "--all")
    for wrong in (
        {ONE: (None, second)},
        {ONE: (second, first)},
        {ONE: (first, second), OTHER: (None, second)},
    ):
        with pytest.raises(Taken):
            git.store.move(wrong, "wrong")
    assert git.store.refs(["refs/heads/nocturne/*", OTHER]) == {ONE: first, OTHER: first}
    git.store.move({ONE: (first, second), OTHER: (first, None)}, "moved")
    assert sh(git.top, "for-each-ref", "--format=%(objectname) %(refname)", ONE, OTHER) == f"{second} {ONE}"
    assert sh(git.top, "reflog", "show", "--format=%gs", ONE).splitlines() == ["moved", "made"]
    git.store.move({ONE: (second, None)}, "gone")
    assert sh(git.top, "for-each-ref", ONE, OTHER) == "" and git.store.ref("refs/heads/main")
    git.store.move({"refs/heads/nocturne": (None, first)}, "in the place of a folder that is empty now")
    assert sh(git.top, "rev-parse", "refs/heads/nocturne") == first
    assert not list(git.common_dir.rglob("*.lock"))
    sh(git.top, "fsck", "--strict")


@pytest.mark.parametrize("packed", [False, True])
def test_a_ref_in_the_way_and_a_lock_are_told(git: Git, packed: bool) -> None:
    first, second = two_commits(git)
    git.store.move({ONE: (None, first)}, "made")
    if packed:
        sh(git.top, "pack-refs", "--all")
    for name in ("refs/heads/nocturne", f"{ONE}/below"):
        with pytest.raises(UserError, match=f"has {ONE}, so {name} cannot be made"):
            git.store.move({name: (None, first)}, "no")
    lock = git.common_dir / f"{ONE}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text("another's")
    with pytest.raises(Locked):
        git.store.move({ONE: (first, second), OTHER: (None, first)}, "no")
    assert lock.read_text() == "another's" and git.store.refs([ONE, OTHER]) == {ONE: first}
    assert not (git.common_dir / f"{OTHER}.lock").exists()


def test_an_object_whose_end_is_cut_off_is_damaged(git: Git) -> None:
    name = git.store.write("blob", os.urandom(10_000))
    for size in (9_000, 3, 0):
        truncate(object_file(git.common_dir, name), size)
        with pytest.raises(Damaged, match=name):
            Store(git.common_dir).read(name, "blob")
    other = git.store.write("blob", b"x")
    object_file(git.common_dir, name).write_bytes(object_file(git.common_dir, other).read_bytes())
    with pytest.raises(Damaged, match="another one's"):
        Store(git.common_dir).read(name, "blob")


def test_a_tree_that_holds_a_name_twice_is_damaged(git: Git) -> None:
    """Which of the two a candidate would be judged by, and which it would train, must not be two answers."""
    blobs = [bytes.fromhex(git.store.write("blob", content)) for content in (b"1", b"2")]
    tree = git.store.write("tree", b"".join(b"100644 train.py\0" + blob for blob in blobs))
    commit = sh(git.top, "commit-tree", tree, "-m", "twice")
    for look in (lambda: git.read_blob(commit, "train.py"), lambda: git.file_changes(commit, "HEAD")):
        with pytest.raises(Damaged, match="twice"):
            look()


def test_our_own_remote_shares_files_and_starts_no_git(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = choose_remote(git, None, {}).name_or_url
    store = LedgerStore(git, remote, "main")
    append(store, "a")
    started: list[Any] = []

    def noted(command: Any, **options: Any) -> bytes:
        started.append(command)
        return run(command, **options)

    monkeypatch.setattr(git_command, "run", noted)
    append(store, "b")
    assert keys(LedgerStore(git, remote, "main")) == ["a", "b"]
    assert started == []
    tip = git.resolve("nocturne/ledger") or ""
    assert object_file(Path(remote), tip).samefile(object_file(git.common_dir, tip))
    sh(git.top, "gc", "--quiet", "--prune=now")
    assert keys(LedgerStore(git, remote, "main")) == ["a", "b"]
    append(store, "c")
    sh(Path(remote), "fsck", "--strict")
    sh(Path(remote), "gc", "--quiet", "--prune=now")
    append(store, "d")
    assert keys(LedgerStore(Git.open(git.top), remote, "main")) == ["a", "b", "c", "d"]


def test_a_long_history_goes_to_our_own_remote_as_a_pack(
    git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.git.beside._MOST", 3)
    remote = choose_remote(git, None, {}).name_or_url
    tip = git.resolve("HEAD") or ""
    for number in range(6):
        tip = git.commit_files(tip, {"train.py": b"%d" % number}, str(number), WHEN)
    assert git.push(remote, [RefUpdate(REF, tip, None)]).pushed
    assert sh(Path(remote), "rev-list", "--count", REF) == "7"
    assert list(Path(remote, "objects/pack").glob("*.pack")) or object_file(Path(remote), tip).exists()
    assert git.fetch(remote, [REF]) == {REF: tip}


def test_a_partial_clone_gets_what_it_lacks(git: Git, tmp_path: Path) -> None:
    sh(git.top, "config", "uploadpack.allowFilter", "true")
    sh(git.top, "config", "uploadpack.allowAnySHA1InWant", "true")
    url = f"file://{git.top}"
    sh(tmp_path, "clone", "--quiet", "--no-checkout", "--filter=blob:none", url, str(tmp_path / "partial"))
    partial = Git.open(tmp_path / "partial")
    blob = sh(git.top, "rev-parse", "HEAD:train.py")
    assert not partial.store.has(blob)
    assert partial.read_blob("HEAD", "train.py") == b"LR = 0.1\n"
