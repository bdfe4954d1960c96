"""Branches, pull requests and how the one moves the other."""

from __future__ import annotations

import pytest

from bot.process import ProcessFailed
from tests.github.desk import Desk
from tests.github.refusal import refused
from tests.github.server import GitHub

pytest.importorskip("github")


def test_landing_by_push_merges(desk: Desk) -> None:
    """The base moves to the tested commit: merged, and fetched for ever by its own ref."""
    head = desk.git("rev-parse", "HEAD")
    pull = desk.rest.create_pull("main", "exp-1", title=" Try ünïcödé ", body="Because.")
    assert (pull.number, pull.state, pull.title, pull.head.sha) == (1, "open", "Try ünïcödé", head)
    assert (pull.commits, pull.additions, pull.deletions, pull.changed_files) == (1, 1, 1, 1)
    assert pull.mergeable is None and desk.rest.get_pull(1).mergeable is True  # not known at once
    assert pull.user.login == "github-actions[bot]" and pull.user.type == "Bot"
    desk.push("main")
    desk.git("push", "--quiet", "origin", ":exp-1")
    again = desk.rest.get_pull(1)
    assert (again.merged, again.state, again.merge_commit_sha) == (True, "closed", head)
    assert again.merged_by.login == "github-actions[bot]" and again.merged_at
    assert (again.commits, again.changed_files) == (1, 1)
    desk.git("fetch", "--quiet", "origin", "refs/pull/1/head")
    assert desk.git("rev-parse", "FETCH_HEAD") == head


def test_landing_by_update_ref_merges(desk: Desk) -> None:
    head = desk.git("rev-parse", "HEAD")
    desk.rest.create_pull("main", "exp-1", title="t")
    desk.rest.get_git_ref("heads/main").edit(head, force=False)
    assert desk.rest.get_pull(1).merge_commit_sha == head


def test_landing_under_a_merge_names_the_merge(desk: Desk) -> None:
    desk.rest.create_pull("main", "exp-1", title="t")
    desk.git("checkout", "--quiet", "-b", "side", "HEAD~1")
    desk.commit("aside", {"other.md": "x"})
    desk.git("merge", "--quiet", "--no-ff", "-m", "merge", "main")
    merge = desk.git("rev-parse", "HEAD")
    desk.commit("later", {"other.md": "y"})
    desk.push("main")
    assert desk.rest.get_pull(1).merge_commit_sha == merge


def test_deleted_branch_closes(desk: Desk) -> None:
    pull = desk.rest.create_pull("main", "exp-1", title="t")
    head = pull.head.sha
    desk.git("push", "--quiet", "origin", ":exp-1")
    assert (desk.rest.get_pull(1).state, desk.rest.get_pull(1).merged) == ("closed", False)
    assert refused(lambda: pull.edit(state="open")).status == 422
    desk.git("fetch", "--quiet", "origin", "refs/pull/1/head")
    assert desk.git("rev-parse", "FETCH_HEAD") == head
    assert desk.rest.get_pull(1).head.sha == head


def test_head_follows_while_open_only(desk: Desk) -> None:
    """Closed, it stays; opened again, it takes in what came on top, and nothing else."""
    desk.rest.create_pull("main", "exp-1", title="t")
    third = desk.commit("third", {"train.py": "a = 3\n"})
    desk.push("exp-1")
    pull = desk.rest.get_pull(1)
    assert (pull.head.sha, pull.commits) == (third, 2)
    pull.edit(state="closed")
    fourth = desk.commit("fourth", {"train.py": "a = 4\n"})
    desk.push("exp-1")
    assert desk.rest.get_pull(1).head.sha == desk.repository.contents.refs["refs/pull/1/head"] == third
    desk.git("push", "--quiet", "--force", "origin", "HEAD~2:refs/heads/exp-1")
    said = "state cannot be changed. The exp-1 branch was force-pushed or recreated."
    assert refused(lambda: pull.edit(state="open")).errors[0]["message"] == said
    desk.push("exp-1")
    pull.edit(state="open")
    assert desk.rest.get_pull(1).head.sha == fourth


def test_head_put_back_on_its_base_closes_unmerged(desk: Desk) -> None:
    desk.rest.create_pull("main", "exp-1", title="t")
    desk.git("push", "--quiet", "--force", "origin", "HEAD~1:refs/heads/exp-1")
    assert (desk.rest.get_pull(1).state, desk.rest.get_pull(1).merged) == ("closed", False)


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_merge_button(desk: Desk, method: str) -> None:
    desk.git("checkout", "--quiet", "-b", "side", "HEAD~1")
    desk.commit("aside", {"other.md": "x"})
    desk.push("main")
    pull = desk.rest.create_pull("main", "exp-1", title="t")
    assert refused(lambda: pull.merge(sha="0" * 40)).status == 409
    desk.repository.allow_squash_merge = method == "squash"
    if method != "squash":
        assert refused(lambda: pull.merge(merge_method="squash")).status == 405
    desk.repository.merges_disturbed = 1
    assert "Base branch was modified" in refused(lambda: pull.merge()).message
    done = pull.merge(merge_method=method, sha=pull.head.sha)
    assert done.merged and desk.repository.branch("main") == done.sha
    assert desk.rest.get_pull(1).merge_commit_sha == done.sha
    parents = len(desk.rest.get_commit("main").parents)
    assert parents == (2 if method == "merge" else 1)
    assert desk.rest.get_contents("train.py").decoded_content.startswith(b"a = 2")
    assert desk.rest.get_contents("other.md").decoded_content == b"x"
    assert refused(lambda: pull.merge()).status == 405


def test_conflict_cannot_merge(desk: Desk) -> None:
    desk.git("checkout", "--quiet", "-b", "side", "HEAD~1")
    desk.commit("against", {"train.py": "a = 9\nb = 1\nc = 1\n"})
    desk.push("main")
    pull = desk.rest.create_pull("main", "exp-1", title="t")
    assert desk.rest.get_pull(1).mergeable is False
    assert refused(lambda: pull.merge()).status == 405


def test_a_fork_is_another_repository(github: GitHub, desk: Desk) -> None:
    """Its pull request carries its commits, follows it, and closes with its branch."""
    desk.repository.collaborator("mallory", "read")
    fork = github.fork(desk.repository, "mallory")
    token = github.token("mallory")
    head = desk.commit("evil", {"train.py": "evil\n"})
    url = f"{github.server_url}/mallory/models.git"
    desk.git("push", "--quiet", url, "HEAD:refs/heads/exp-1", token=token)
    theirs = desk.client_of(token).get_repo("octo/models")
    pull = theirs.create_pull("main", "mallory:exp-1", title="t")
    assert (pull.head.label, pull.head.repo.full_name, pull.head.sha) == (
        "mallory:exp-1",
        "mallory/models",
        head,
    )
    assert [each.number for each in desk.rest.get_pulls(head="mallory:exp-1")] == [1]
    assert list(desk.rest.get_pulls(head="octo:exp-1")) == []
    desk.git("fetch", "--quiet", "origin", "refs/pull/1/head")
    head = desk.commit("more", {"train.py": "more\n"})
    desk.git("push", "--quiet", url, "HEAD:refs/heads/exp-1", token=token)
    assert desk.rest.get_pull(1).head.sha == head and fork.branch("exp-1") == head
    desk.git("push", "--quiet", url, ":exp-1", token=token)
    assert desk.rest.get_pull(1).state == "closed"
    with pytest.raises(ProcessFailed, match="denied to mallory"):
        desk.push("exp-9", token=token)


def test_lists_are_paged_sorted_and_filtered(desk: Desk) -> None:
    for number in range(3):
        desk.commit(f"n {number}", {"n.md": str(number)})
        desk.push(f"exp-{number + 2}")
        desk.rest.create_pull("main", f"exp-{number + 2}", title=f"t{number}")
    desk.rest.get_pull(2).edit(state="closed")

    def numbers(**filters: str) -> list[int]:
        return [pull.number for pull in desk.rest.get_pulls(**filters)]

    assert numbers() == [3, 1] and numbers(state="closed") == [2]
    assert numbers(state="all", sort="created", direction="asc") == [1, 2, 3]
    assert numbers(head="octo:exp-4") == [3] and numbers(base="exp-1") == []
    assert numbers(head="exp-4") == [3, 1]  # without its owner it filters nothing
    pages = desk.client_of(desk.token)
    pages.per_page = 1
    before = len(desk.github.calls)
    found = [pull.number for pull in pages.get_repo("octo/models").get_pulls(state="all")]
    assert found == [3, 2, 1] and len(desk.github.calls) - before == 4
