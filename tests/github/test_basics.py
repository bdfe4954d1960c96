"""Branches, pull requests and how the one moves the other."""

from __future__ import annotations

import pytest

from bot.base.process import ProcessFailed
from tests.github.context import Context
from tests.github.refusal import refused
from tests.github.server import GitHub

pytestmark = pytest.mark.doubles

pytest.importorskip("github")


def test_landing_by_push_merges(context: Context) -> None:
    """The base moves to the tested commit: merged, and fetched for ever by its own ref."""
    head = context.git("rev-parse", "HEAD")
    pull = context.rest.create_pull("main", "exp-1", title=" Try ünïcödé ", body="Because.")
    assert (pull.number, pull.state, pull.title, pull.head.sha) == (1, "open", "Try ünïcödé", head)
    assert (pull.commits, pull.additions, pull.deletions, pull.changed_files) == (1, 1, 1, 1)
    assert pull.mergeable is None and context.rest.get_pull(1).mergeable is True  # not known at once
    assert pull.user.login == "github-actions[bot]" and pull.user.type == "Bot"
    context.push("main")
    context.git("push", "--quiet", "origin", ":exp-1")
    again = context.rest.get_pull(1)
    assert (again.merged, again.state, again.merge_commit_sha) == (True, "closed", head)
    assert again.merged_by.login == "github-actions[bot]" and again.merged_at
    assert (again.commits, again.changed_files) == (1, 1)
    context.git("fetch", "--quiet", "origin", "refs/pull/1/head")
    assert context.git("rev-parse", "FETCH_HEAD") == head


def test_landing_by_update_ref_merges(context: Context) -> None:
    head = context.git("rev-parse", "HEAD")
    context.rest.create_pull("main", "exp-1", title="t")
    context.rest.get_git_ref("heads/main").edit(head, force=False)
    assert context.rest.get_pull(1).merge_commit_sha == head


def test_landing_under_a_merge_names_the_merge(context: Context) -> None:
    context.rest.create_pull("main", "exp-1", title="t")
    context.git("checkout", "--quiet", "-b", "side", "HEAD~1")
    context.commit("aside", {"other.md": "x"})
    context.git("merge", "--quiet", "--no-ff", "-m", "merge", "main")
    merge = context.git("rev-parse", "HEAD")
    context.commit("later", {"other.md": "y"})
    context.push("main")
    assert context.rest.get_pull(1).merge_commit_sha == merge


def test_deleted_branch_closes(context: Context) -> None:
    pull = context.rest.create_pull("main", "exp-1", title="t")
    head = pull.head.sha
    context.git("push", "--quiet", "origin", ":exp-1")
    assert (context.rest.get_pull(1).state, context.rest.get_pull(1).merged) == ("closed", False)
    assert refused(lambda: pull.edit(state="open")).status == 422
    context.git("fetch", "--quiet", "origin", "refs/pull/1/head")
    assert context.git("rev-parse", "FETCH_HEAD") == head
    assert context.rest.get_pull(1).head.sha == head


def test_head_follows_while_open_only(context: Context) -> None:
    """Closed, it stays; opened again, it takes in what came on top, and nothing else."""
    context.rest.create_pull("main", "exp-1", title="t")
    third = context.commit("third", {"train.py": "a = 3\n"})
    context.push("exp-1")
    pull = context.rest.get_pull(1)
    assert (pull.head.sha, pull.commits) == (third, 2)
    pull.edit(state="closed")
    fourth = context.commit("fourth", {"train.py": "a = 4\n"})
    context.push("exp-1")
    assert context.rest.get_pull(1).head.sha == context.repository.contents.refs["refs/pull/1/head"] == third
    context.git("push", "--quiet", "--force", "origin", "HEAD~2:refs/heads/exp-1")
    said = "state cannot be changed. The exp-1 branch was force-pushed or recreated."
    assert refused(lambda: pull.edit(state="open")).errors[0]["message"] == said
    context.push("exp-1")
    pull.edit(state="open")
    assert context.rest.get_pull(1).head.sha == fourth


def test_head_put_back_on_its_base_closes_unmerged(context: Context) -> None:
    context.rest.create_pull("main", "exp-1", title="t")
    context.git("push", "--quiet", "--force", "origin", "HEAD~1:refs/heads/exp-1")
    assert (context.rest.get_pull(1).state, context.rest.get_pull(1).merged) == ("closed", False)


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_merge_button(context: Context, method: str) -> None:
    context.git("checkout", "--quiet", "-b", "side", "HEAD~1")
    context.commit("aside", {"other.md": "x"})
    context.push("main")
    pull = context.rest.create_pull("main", "exp-1", title="t")
    assert refused(lambda: pull.merge(sha="0" * 40)).status == 409
    context.repository.allow_squash_merge = method == "squash"
    if method != "squash":
        assert refused(lambda: pull.merge(merge_method="squash")).status == 405
    context.repository.merges_disturbed = 1
    assert "Base branch was modified" in refused(lambda: pull.merge()).message
    done = pull.merge(merge_method=method, sha=pull.head.sha)
    assert done.merged and context.repository.branch("main") == done.sha
    assert context.rest.get_pull(1).merge_commit_sha == done.sha
    parents = len(context.rest.get_commit("main").parents)
    assert parents == (2 if method == "merge" else 1)
    assert context.rest.get_contents("train.py").decoded_content.startswith(b"a = 2")
    assert context.rest.get_contents("other.md").decoded_content == b"x"
    assert refused(lambda: pull.merge()).status == 405


def test_conflict_cannot_merge(context: Context) -> None:
    context.git("checkout", "--quiet", "-b", "side", "HEAD~1")
    context.commit("against", {"train.py": "a = 9\nb = 1\nc = 1\n"})
    context.push("main")
    pull = context.rest.create_pull("main", "exp-1", title="t")
    assert context.rest.get_pull(1).mergeable is False
    assert refused(lambda: pull.merge()).status == 405


def test_a_fork_is_another_repository(github: GitHub, context: Context) -> None:
    """Its pull request carries its commits, follows it, and closes with its branch."""
    context.repository.collaborator("mallory", "read")
    fork = github.fork(context.repository, "mallory")
    token = github.token("mallory")
    head = context.commit("evil", {"train.py": "evil\n"})
    url = f"{github.server_url}/mallory/models.git"
    context.git("push", "--quiet", url, "HEAD:refs/heads/exp-1", token=token)
    theirs = context.client_of(token).get_repo("octo/models")
    pull = theirs.create_pull("main", "mallory:exp-1", title="t")
    assert (pull.head.label, pull.head.repo.full_name, pull.head.sha) == (
        "mallory:exp-1",
        "mallory/models",
        head,
    )
    assert [each.number for each in context.rest.get_pulls(head="mallory:exp-1")] == [1]
    assert list(context.rest.get_pulls(head="octo:exp-1")) == []
    context.git("fetch", "--quiet", "origin", "refs/pull/1/head")
    head = context.commit("more", {"train.py": "more\n"})
    context.git("push", "--quiet", url, "HEAD:refs/heads/exp-1", token=token)
    assert context.rest.get_pull(1).head.sha == head and fork.branch("exp-1") == head
    context.git("push", "--quiet", url, ":exp-1", token=token)
    assert context.rest.get_pull(1).state == "closed"
    with pytest.raises(ProcessFailed, match="denied to mallory"):
        context.push("exp-9", token=token)


def test_lists_are_paged_sorted_and_filtered(context: Context) -> None:
    for number in range(3):
        context.commit(f"n {number}", {"n.md": str(number)})
        context.push(f"exp-{number + 2}")
        context.rest.create_pull("main", f"exp-{number + 2}", title=f"t{number}")
    context.rest.get_pull(2).edit(state="closed")

    def numbers(**filters: str) -> list[int]:
        return [pull.number for pull in context.rest.get_pulls(**filters)]

    assert numbers() == [3, 1] and numbers(state="closed") == [2]
    assert numbers(state="all", sort="created", direction="asc") == [1, 2, 3]
    assert numbers(head="octo:exp-4") == [3] and numbers(base="exp-1") == []
    assert numbers(head="exp-4") == [3, 1]  # without its owner it filters nothing
    pages = context.client_of(context.token)
    pages.per_page = 1
    before = len(context.github.calls)
    found = [pull.number for pull in pages.get_repo("octo/models").get_pulls(state="all")]
    assert found == [3, 2, 1] and len(context.github.calls) - before == 4
