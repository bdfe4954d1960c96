"""Which remote is chosen, and the embedded one: made once, whole, with logs."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from bot.errors import UserError
from bot.git import Git, RefUpdate
from bot.git.remote import choose_remote, is_github, where_it_goes
from bot.ledger.store import LedgerStore
from tests.bot.storage import append, finish, keys, make_bare, make_repository, python, sh


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return make_repository(tmp_path / "repo")


def test_without_origin_the_embedded_one_is_made(tmp_path: Path, git: Git) -> None:
    remote = choose_remote(git, None, {})
    path = git.common_dir / "nocturne" / "forge.git"
    assert (remote.name_or_url, remote.kind, remote.note) == (str(path), "embedded", None)
    assert sh(path, "rev-parse", "--is-bare-repository") == "true"
    assert sh(path, "config", "core.logAllRefUpdates") == "always"
    before = path.stat().st_ino
    assert choose_remote(git, None, {}) == remote and path.stat().st_ino == before
    assert [child.name for child in path.parent.iterdir()] == ["forge.git"]
    sh(git.top, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "side")
    assert choose_remote(Git.open(tmp_path / "linked"), None, {}) == remote


JOB = {"GITHUB_ACTIONS": "true"}


def test_origin_gets_nothing_that_nobody_asked_for(tmp_path: Path, git: Git) -> None:
    bare = make_bare(tmp_path / "bare.git")
    sh(git.top, "remote", "add", "origin", bare)
    assert choose_remote(git, None, {"GITHUB_TOKEN": "t"}).kind == "embedded"
    assert choose_remote(git, None, JOB).name_or_url == "origin"


def test_a_campaign_that_this_clone_pushed_to_origin_goes_on_there(tmp_path: Path, git: Git) -> None:
    sh(git.top, "remote", "add", "origin", make_bare(tmp_path / "bare.git"))
    append(LedgerStore(git, "origin", "main"), "a")
    assert choose_remote(git, None, {}).name_or_url == "origin"
    sh(tmp_path, "clone", "-q", str(tmp_path / "bare.git"), "clone")
    fresh = choose_remote(Git.open(tmp_path / "clone"), None, {})
    assert fresh.kind == "embedded" and fresh.note and "to join it write `remote: origin`" in fresh.note


def test_a_campaign_that_was_begun_in_the_clone_stays_there(tmp_path: Path, git: Git) -> None:
    append(LedgerStore(git, choose_remote(git, None, {}).name_or_url, "main"), "a")
    sh(git.top, "remote", "add", "origin", make_bare(tmp_path / "bare.git"))
    assert choose_remote(git, None, {}).kind == "embedded"


def test_it_says_where_everything_goes(tmp_path: Path, git: Git) -> None:
    url = "https://user:secret@github.com/me/it"
    sh(git.top, "remote", "add", "origin", url)
    assert where_it_goes(git, choose_remote(git, None, {})).startswith("everything stays in this clone: ")
    said = where_it_goes(git, choose_remote(git, "origin", {}))
    assert said.startswith("branches, ledger and pull requests go to origin (") and "me/it" in said
    assert "secret" not in said


def test_origin_counts_in_a_job_where_it_can_be_used(tmp_path: Path, git: Git) -> None:
    bare = make_bare(tmp_path / "bare.git")
    for url in (bare, f"file://{bare}", "git@example.com:me/it.git", "https://example.com/me/it"):
        sh(git.top, "remote", "remove", "origin") if git.remote_url("origin") else None
        sh(git.top, "remote", "add", "origin", url)
        remote = choose_remote(git, None, JOB)
        assert (remote.name_or_url, remote.kind, remote.note) == ("origin", "git", None)
    sh(git.top, "remote", "set-url", "origin", "https://user:secret@github.com/me/it")
    remote = choose_remote(git, None, JOB)
    assert remote.kind == "embedded" and remote.note and "no token" in remote.note
    assert "secret" not in remote.note
    remote = choose_remote(git, None, JOB | {"GITHUB_TOKEN": "t"})
    assert (remote.name_or_url, remote.kind) == ("origin", "github")
    assert choose_remote(git, None, JOB | {"GITHUB_TOKEN": ""}).kind == "embedded"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/a/b", True), ("git@github.com:a/b.git", True), ("ssh://git@github.com/a/b", True),
        ("https://ghe.example.org/a/b", True), ("https://github.com.evil.org/a/b", False), ("/srv/github.com/a", False),
        ("git@gitlab.com:a/github.com.git", False), ("../github.com:x", False), ("GIT@GitHub.com:a/b", True),
    ],
)  # fmt: skip
def test_is_github(url: str, expected: bool) -> None:
    assert is_github(url, {"GITHUB_SERVER_URL": "https://ghe.example.org"}) is expected


def test_configured_wins_and_must_mean_something(tmp_path: Path, git: Git) -> None:
    bare = make_bare(tmp_path / "bare.git")
    sh(git.top, "remote", "add", "origin", "/nonexistent")
    sh(git.top, "remote", "add", "mine", bare)
    assert choose_remote(git, "mine", {}).name_or_url == "mine"
    assert choose_remote(git, bare, {}).kind == "git"
    assert choose_remote(git, "../bare.git", {}).kind == "git"
    assert choose_remote(git, "https://github.com/a/b", {}).kind == "github"
    assert choose_remote(git, "embedded", {}).kind == "embedded"
    with pytest.raises(UserError, match="no such remote"):
        choose_remote(git, "nowhere", {})


def test_embedded_one_with_an_emptied_head_is_put_right(git: Git) -> None:
    path = Path(choose_remote(git, None, {}).name_or_url)
    (path / "HEAD").write_bytes(b"")
    assert choose_remote(git, None, {}).name_or_url == str(path)
    assert sh(path, "rev-parse", "--is-bare-repository") == "true"


@pytest.mark.long
def test_many_processes_make_one(git: Git) -> None:
    code = """
import sys
from pathlib import Path
from bot.git import Git
from bot.git.remote import choose_remote
choose_remote(Git.open(Path(sys.argv[1])), None, {})
"""
    for process in [python(code, str(git.top)) for _ in range(4)]:
        finish(process)
    assert [child.name for child in git.own_remote.parent.iterdir()] == ["forge.git"]
    assert sh(git.own_remote, "rev-parse", "--is-bare-repository") == "true"


def test_shallow_clone_with_the_embedded_one(tmp_path: Path, git: Git) -> None:
    """What actions/checkout leaves: a clone of depth 1. Its embedded remote must take branches on top of it."""
    (git.top / "train.py").write_text("LR = 0.3\n")
    sh(git.top, "commit", "-qam", "second")
    sh(tmp_path, "clone", "-q", "--depth=1", f"file://{git.top}", "shallow")
    shallow = Git.open(tmp_path / "shallow")
    head = shallow.resolve("HEAD")
    assert head is not None
    remote = choose_remote(shallow, "embedded", {}).name_or_url
    when = datetime(2026, 3, 1, tzinfo=timezone.utc)
    commit = shallow.commit_files(head, {"train.py": b"LR = 0.4\n"}, "m", when)
    ref = "refs/heads/nocturne/main"
    assert shallow.push(remote, [RefUpdate(ref, head, None)]).pushed
    assert shallow.push(remote, [RefUpdate(ref, commit, head)]).pushed
    assert shallow.fetch(remote, [ref]) == {ref: commit}
    append(LedgerStore(shallow, remote, "main"), "a")
    assert keys(LedgerStore(shallow, remote, "main")) == ["a"]


def test_repository_with_sha256_names_is_refused_in_one_line(tmp_path: Path) -> None:
    sh(tmp_path, "init", "-q", "--object-format=sha256", "new")
    git = Git.open(tmp_path / "new")
    with pytest.raises(UserError, match="Nocturne needs a repository with SHA-1 names") as caught:
        append(LedgerStore(git, choose_remote(git, None, {}).name_or_url, "main"), "a")
    assert "\n" not in str(caught.value)
