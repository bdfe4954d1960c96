"""How often git goes to the remote: once for a write, once to look, and not where the answer is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.forge import Forge
from bot.forge.choose import open_forge
from bot.git import Git, RefUpdate
from bot.git.remote import Remote
from bot.ledger.store import REF, LedgerStore
from tests.bot.repositories import git as run_git
from tests.bot.repositories import make_repository
from tests.bot.storage import append, events, keys
from tests.github.server import GitHub, Repository, serve

LOOK = ["info/refs upload-pack", "git-upload-pack"]  # what is there now
PUSH = ["info/refs receive-pack", "git-receive-pack"]
BRANCH = "nocturne/main"


@dataclass
class Place:
    """A repository on the GitHub on loopback, and a clone that logs in to it."""

    github: GitHub
    repository: Repository
    folder: Path
    environ: dict[str, str]

    def clone(self, name: str) -> tuple[Git, Forge]:
        top = self.folder / name
        run_git(self.folder, "clone", "--quiet", str(self.repository.path), str(top))
        url = f"{self.github.server_url}/{self.repository.full_name}.git"
        run_git(top, "remote", "set-url", "origin", url)
        return open_forge(Git.open(top), Remote("origin", "github"), self.environ)

    def asked(self, act: Callable[[], Any]) -> list[str]:
        """Return git's requests while `act` ran."""
        before = len(self.github.git_calls)
        act()
        return [call.kind for call in self.github.git_calls[before:]]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with serve(tmp_path / "github") as github:
        repository = github.repository("octo/models", private=True, default_branch="main")
        token = github.token("github-actions[bot]", "workflow", repository, {"contents": "write"})
        top = make_repository(tmp_path / "start")
        run_git(top, "push", "--quiet", str(repository.path), "main")
        environ = {
            "GITHUB_API_URL": github.api_url,
            "GITHUB_SERVER_URL": github.server_url,
            "GITHUB_TOKEN": token,
        }
        yield Place(github, repository, tmp_path, environ)


def test_an_append_is_one_push_and_what_others_wrote_is_found_out_by_it(place: Place) -> None:
    mine, theirs = (LedgerStore(place.clone(name)[0], "origin", "main") for name in ("mine", "theirs"))
    assert place.asked(lambda: append(mine, "a")) == [*LOOK, *PUSH]  # the first time it looks
    assert place.asked(lambda: append(mine, "b")) == PUSH
    assert place.asked(lambda: append(theirs, "c"))[-2:] == PUSH
    seen: list[list[str]] = []

    def make(state: Any) -> list[dict[str, Any]]:
        seen.append([event["key"] for event in state.events])
        return events("d")

    # The push is refused before anything is sent; then the other one's event is read, and `make` asked again.
    fetched = [*LOOK, *LOOK, "git-upload-pack"]
    assert place.asked(lambda: mine.append(make)) == [PUSH[0], *fetched, *PUSH]
    assert seen == [["a", "b"], ["a", "b", "c"]]
    assert keys(mine) == keys(theirs) == ["a", "b", "c", "d"]


@pytest.mark.long
def test_nothing_to_write_is_believed_of_the_newest_state_alone(place: Place) -> None:
    mine, theirs = (LedgerStore(place.clone(name)[0], "origin", "main") for name in ("mine", "theirs"))
    append(mine, "a")
    append(theirs, "b")

    def only_after_b(state: Any) -> list[dict[str, Any]]:
        return events("c") if any(event["key"] == "b" for event in state.events) else []

    mine.append(only_after_b)
    assert keys(theirs) == ["a", "b", "c"]
    assert place.asked(lambda: mine.append(lambda _: [])) == LOOK


def test_several_refs_are_looked_at_once(place: Place) -> None:
    git, forge = place.clone("mine")
    head = git.resolve("origin/main")
    assert head is not None
    store = LedgerStore(git, "origin", "main")
    append(store, "a")
    ref = f"refs/heads/{BRANCH}"

    def look() -> None:
        with git.at_once("origin", [REF, ref]):
            store.load()
            assert forge.branch_head(BRANCH) is None

    assert place.asked(look) == LOOK
    with git.at_once("origin", [REF, ref]):
        assert git.push("origin", [RefUpdate(ref, head, None)]).pushed
        assert forge.branch_head(BRANCH) == head  # what was seen before a push counts no more


def test_what_a_fresh_clone_has_is_not_fetched_again(place: Place) -> None:
    append(LedgerStore(place.clone("first")[0], "origin", "main"), "a")
    second = LedgerStore(place.clone("second")[0], "origin", "main")
    assert place.asked(second.load) == LOOK


def test_a_branch_that_is_where_it_was_seen_is_moved_and_deleted_by_one_push(place: Place) -> None:
    git, forge = place.clone("mine")
    head = git.resolve("origin/main")
    assert head is not None
    assert place.asked(lambda: forge.replace_branch("nocturne/exp/main/1", head)) == PUSH
    forge.push_branch(BRANCH, head)
    landed = run_git(git.top, "commit-tree", "-p", head, "-m", "next", f"{head}^{{tree}}")
    results: list[str] = []
    assert place.asked(lambda: results.append(forge.land(BRANCH, landed, head))) == PUSH
    assert place.asked(lambda: results.append(forge.land(BRANCH, landed, head))) == LOOK
    assert results == ["landed", "already"]
    # Somebody moves it: the push is refused, and a look says so.
    run_git(place.repository.path, "update-ref", f"refs/heads/{BRANCH}", head)
    further = run_git(git.top, "commit-tree", "-p", landed, "-m", "more", f"{head}^{{tree}}")
    assert place.asked(lambda: results.append(forge.land(BRANCH, further, landed))) == [PUSH[0], *LOOK]
    assert results[-1] == "moved" and place.repository.branch(BRANCH) is not None
