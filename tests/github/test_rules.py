"""What GitHub refuses, and its words for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from bot.base.process import ProcessFailed
from tests.github.context import Context
from tests.github.refusal import refused

pytestmark = pytest.mark.doubles

pytest.importorskip("github")


def custom(resource: str, message: str) -> dict[str, str]:
    return {"resource": resource, "code": "custom", "message": message}


def test_opening_a_pull_request(context: Context) -> None:
    rest = context.rest

    def errors(base: str, head: str, **more: str) -> list[Any]:
        said = refused(lambda: rest.create_pull(base, head, **{"title": "t", **more}))
        assert (said.status, said.message) == (422, "Validation Failed")
        return said.errors

    assert errors("main", "nowhere") == [{"resource": "PullRequest", "code": "invalid", "field": "head"}]
    assert errors("nowhere", "exp-1") == [{"resource": "PullRequest", "code": "invalid", "field": "base"}]
    assert errors("exp-1", "main") == [custom("PullRequest", "No commits between exp-1 and main")]
    assert errors("main", "exp-1", title=" ")[0]["code"] == "missing_field"
    too_long = "body is too long (maximum is 65536 characters)"
    assert errors("main", "exp-1", body="é" * 65_537)[0]["message"] == too_long
    assert errors("main", "exp-1", title="x" * 257)[0]["field"] == "title"
    assert len(rest.create_pull("main", "octo:exp-1", title="t", body="é" * 65_536).body) == 65_536
    exists = custom("PullRequest", "A pull request already exists for octo:exp-1.")
    assert errors("main", "exp-1") == [exists]
    context.git("checkout", "--quiet", "--orphan", "apart")
    context.commit("apart", {"train.py": "z\n"})
    context.push("apart")
    assert "no history in common" in errors("main", "apart")[0]["message"]


def test_numbers_are_shared_with_issues(context: Context) -> None:
    assert context.rest.create_issue("one").number == 1
    assert context.rest.create_pull("main", "exp-1", title="two").number == 2
    assert refused(lambda: context.rest.get_pull(1)).status == 404
    assert context.rest.get_issue(2).pull_request.html_url.endswith("/octo/models/pull/2")
    assert [issue.number for issue in context.rest.get_issues()] == [2, 1]


def test_reviews(context: Context) -> None:
    """Nobody approves their own; comments on lines stay inside the diff; one bad comment refuses all."""
    pull = context.rest.create_pull("main", "exp-1", title="t")
    for event, verb in (("APPROVE", "approve"), ("REQUEST_CHANGES", "request changes on")):
        said = refused(lambda event=event: pull.create_review(body="b", event=event))  # type: ignore[misc]
        assert (said.status, said.errors) == (422, [f"Can not {verb} your own pull request"])
    assert refused(lambda: pull.create_review(event="COMMENT")).status == 422
    inside = {"path": "train.py", "line": 2, "body": "context"}
    for outside in ({"line": 9}, {"path": "nowhere.py"}, {"side": "LEFT", "line": 4}, {"body": " "}):
        comments = [inside, {**inside, **outside}]
        said = refused(lambda c=comments: pull.create_review(body="b", event="COMMENT", comments=c))  # type: ignore[misc]
        assert (said.status, said.message) == (422, "Unprocessable Entity")
        assert "resolved" in said.errors[0] or "blank" in said.errors[0]
    assert list(pull.get_reviews()) == [] and list(pull.get_review_comments()) == []
    pull.create_review(body="b", event="COMMENT", comments=[inside, {**inside, "side": "LEFT", "line": 1}])
    assert [(each.line, each.side) for each in pull.get_review_comments()] == [(2, "RIGHT"), (1, "LEFT")]
    context.repository.collaborator("alice", "write")
    alice = context.client_of(context.github.token("alice")).get_repo("octo/models")
    alice.get_pull(1).create_review(event="APPROVE")
    assert [each.state for each in pull.get_reviews()] == ["COMMENTED", "APPROVED"]


def test_statuses(context: Context) -> None:
    commit = context.rest.get_commit("exp-1")
    assert commit.get_combined_status().state == "pending"
    long = refused(lambda: commit.create_status("success", description="d" * 141))
    assert long.errors[0]["message"] == "description is too long (maximum is 140 characters)"
    assert refused(lambda: commit.create_status("passed")).status == 422
    assert refused(lambda: commit.create_status("success", target_url="ftp://x")).status == 422
    for state in ("pending", "success"):
        commit.create_status(state, context="score", description="d" * 140)
    commit.create_status("success")
    assert (commit.get_combined_status().state, commit.get_combined_status().total_count) == ("success", 2)
    commit.create_status("error", context="score")
    assert commit.get_combined_status().state == "failure"
    states = [(each.context, each.state) for each in commit.get_statuses()]
    assert states == [("score", "error"), ("default", "success"), ("score", "success"), ("score", "pending")]
    unknown = refused(lambda: context.rest.get_commit("f" * 40))
    assert (unknown.status, unknown.message) == (422, f"No commit found for SHA: {'f' * 40}")


def test_statuses_of_a_context_are_counted(context: Context) -> None:
    commit = context.rest.get_commit("exp-1")
    commit.create_status("success", context="score")
    context.repository.contents.statuses *= 1000
    assert (
        "maximum number"
        in refused(lambda: commit.create_status("error", context="score")).errors[0]["message"]
    )
    commit.create_status("error", context="other")


def test_labels(context: Context) -> None:
    """Made by being added, alike in any case, unique."""
    issue = context.rest.create_issue("t")
    issue.add_to_labels("nocturne:idea", "Bug")
    assert [label.name for label in issue.get_labels()] == ["nocturne:idea", "bug"]
    again = refused(lambda: context.rest.create_label("BUG", "ffffff"))
    assert again.errors == [{"resource": "Label", "code": "already_exists", "field": "name"}]
    assert refused(lambda: context.rest.create_label("new", "green")).errors[0]["field"] == "color"
    assert refused(lambda: context.rest.create_label("x" * 51, "ffffff")).status == 422
    issue.set_labels("a/b")
    assert [label.name for label in context.rest.get_issue(1).labels] == ["a/b"]
    assert refused(lambda: issue.remove_from_labels("bug")).status == 404
    issue.remove_from_labels("a/b")
    assert list(issue.get_labels()) == [] and context.rest.get_label("a/b").color == "ededed"
    events = [(each.event, each.label.name) for each in issue.get_events()]
    assert events[-2:] == [("labeled", "a/b"), ("unlabeled", "a/b")]


def test_comments_and_reactions(context: Context) -> None:
    issue = context.rest.create_issue("t")
    assert refused(lambda: issue.create_comment("")).status == 422
    assert refused(lambda: issue.create_comment("x" * 65_537)).status == 422
    comment = issue.create_comment("/nocturne status")
    assert comment.create_reaction("eyes").id == comment.create_reaction("eyes").id
    assert refused(lambda: comment.create_reaction("party")).status == 422
    assert [each.content for each in comment.get_reactions()] == ["eyes"]
    context.repository.collaborator("eve", "read")
    theirs = context.client_of(context.github.token("eve")).get_repo("octo/models").get_issue(1)
    assert refused(lambda: theirs.get_comment(comment.id).edit("mine")).status == 403
    theirs.create_comment("hello").edit("hello there")
    assert [each.body for each in issue.get_comments()] == ["/nocturne status", "hello there"]
    comment.delete()
    assert refused(lambda: issue.get_comment(comment.id)).status == 404


def test_lists_since(context: Context) -> None:
    issue = context.rest.create_issue("t")
    issue.create_comment("x")
    soon = datetime.now(timezone.utc) + timedelta(minutes=1)
    for since, found in ((soon - timedelta(hours=1), 1), (soon, 0)):
        assert (
            len(list(issue.get_comments(since=since)))
            == len(list(context.rest.get_issues(since=since)))
            == found
        )
        assert len(list(context.rest.get_issues_comments(sort="created", since=since))) == found
    issue.edit(title="u")
    assert [(each.event, each.rename) for each in issue.get_events()] == [
        ("renamed", {"from": "t", "to": "u"})
    ]


def test_refs(context: Context) -> None:
    rest, head = context.rest, context.git("rev-parse", "HEAD")
    for name, sha, said in (
        ("heads/x", head, "Reference name must start"),
        ("refs/heads/a..b", head, "not a valid ref name"),
        ("refs/heads/x", "0" * 40, "Object does not exist"),
        ("refs/heads/exp-1", head, "Reference already exists"),
        ("refs/heads/exp-1/below", head, "Reference already exists"),
    ):
        assert said in refused(lambda n=name, s=sha: rest.create_git_ref(n, s)).message  # type: ignore[misc]
    ref = rest.create_git_ref("refs/heads/x", head)
    older = context.git("rev-parse", "HEAD~1")
    assert refused(lambda: ref.edit(older)).message == "Update is not a fast forward"
    ref.edit(older, force=True)
    ref.delete()
    assert refused(ref.delete).message == "Reference does not exist"
    assert refused(lambda: rest.get_git_ref("heads/main").delete()).status == 422
    context.git("fetch", "--quiet", "--prune", "origin")
    assert (
        context.git("for-each-ref", "--format=%(refname:short)", "refs/remotes")
        == "origin/exp-1\norigin/main"
    )


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[1]", 400),
        (b'{"base": "main"}', 422),
        (b'{"base": 1, "head": "x"}', 422),
        (b"x" * 5_000_000, 413),
    ],
)
def test_bodies_that_are_none(context: Context, body: bytes, status: int) -> None:
    requests = pytest.importorskip("requests")
    url = f"{context.github.api_url}/repos/octo/models/pulls"
    answer = requests.post(url, data=body, headers={"Authorization": f"Bearer {context.token}"}, timeout=10)
    assert answer.status_code == status and answer.json()["message"]


def test_check_runs(context: Context) -> None:
    head = context.rest.get_branch("exp-1").commit.sha

    def create(**more: Any) -> Callable[[], Any]:
        return lambda: context.rest.create_check_run("report", head, **more)

    assert refused(create(status="completed")).status == 422
    assert refused(create(output={"title": "t", "summary": "s" * 65_536})).status == 422
    note = {"path": "train.py", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"}
    assert refused(create(output={"title": "t", "summary": "s", "annotations": [note] * 51})).status == 422
    run = create(output={"title": "t", "summary": "s", "annotations": [note] * 50})()
    run.edit(conclusion="success")
    assert (run.status, run.conclusion, run.output.annotations_count) == ("completed", "success", 50)


def test_contents(context: Context) -> None:
    assert context.rest.get_contents("train.py").decoded_content == b"a = 1\nb = 1\nc = 1\n"
    assert context.rest.get_contents("train.py", ref="exp-1").decoded_content.startswith(b"a = 2")
    assert [each.name for each in context.rest.get_contents("/")] == ["train.py"]
    assert refused(lambda: context.rest.get_contents("none.yml")).status == 404
    assert refused(lambda: context.rest.get_contents("train.py", ref="none")).status == 404


def test_a_protected_branch_takes_what_has_passed_its_checks(context: Context) -> None:
    home, head = context.repository, context.git("rev-parse", "HEAD")
    home.required = {"main": ("score", "report")}
    pull = context.rest.create_pull(title="t", body="", head="exp-1", base="main")

    def says_no() -> None:
        with pytest.raises(ProcessFailed, match='checks "score, report" are expected'):
            context.push("main")
        said = refused(lambda: context.rest.get_git_ref("heads/main").edit(head))
        assert said.status == 422 and "is expected" in said.message
        assert refused(pull.merge).status == 405

    says_no()
    commit = context.rest.get_commit(head)
    commit.create_status("success", context="score")
    context.rest.create_check_run("report", head, status="completed", conclusion="failure")
    says_no()
    context.rest.create_check_run("report", head, status="completed", conclusion="neutral")
    commit.create_status("pending", context="score")
    says_no()
    commit.create_status("success", context="score")
    context.push("elsewhere")
    context.push("main")
    assert home.branch("main") == head
