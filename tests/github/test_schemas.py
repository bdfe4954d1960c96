"""The answers against GitHub's own schemas: GitHubKit, generated from them, calls and parses every kind."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.github.context import Context
from tests.github.server import serve

pytestmark = pytest.mark.doubles

githubkit = pytest.importorskip("githubkit", exc_type=ImportError)
schemas = pytest.importorskip("githubkit_schemas.latest.models", exc_type=ImportError)

WORKFLOW = """
name: Iterate
on:
  workflow_dispatch:
    inputs:
      kind: {type: choice, options: [a, b], default: a}
jobs: {}
"""
AT = {"owner": "octo", "repo": "models"}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with serve(tmp_path_factory.mktemp("github")) as github:
        context = Context(github, tmp_path_factory.mktemp("work"))
        context.repository.collaborator("alice", "admin")
        admin = github.token("alice")
        context.commit("first", {"train.py": "a = 1\n", ".github/workflows/iterate.yml": WORKFLOW})
        context.push("main", token=admin)
        context.commit("second", {"train.py": "a = 2\n", "more/notes.md": "x\n"})
        context.push("exp-1")
        context.commit("third", {"train.py": "a = 3\n"})
        context.push("exp-2")
        context.repository.runner("h100")
        context.repository.secrets.append("ANTHROPIC_API_KEY")
        yield context


def kit(context: Context, token: str) -> Any:
    return githubkit.GitHub(token, base_url=context.github.api_url, auto_retry=False, http_cache=False)


@pytest.fixture(scope="module")
def bot(context: Context) -> Iterator[Any]:
    client = kit(context, context.token)  # its part `rest` does not keep it alive
    yield client.rest


@pytest.fixture(scope="module")
def admin(context: Context) -> Iterator[Any]:
    client = kit(context, context.github.token("alice"))
    yield client.rest


def parsed(response: Any, status: int = 200) -> Any:
    """Return what the schema's model made of the answer; pydantic raises where it does not fit."""
    assert response.status_code == status
    return response.parsed_data


def test_pulls(context: Context, bot: Any) -> None:
    made = parsed(bot.pulls.create(**AT, head="exp-1", base="main", title="Try", body="x"), 201)
    at = {**AT, "pull_number": made.number}
    assert parsed(bot.pulls.get(**at)).head.sha == made.head.sha
    assert [each.number for each in parsed(bot.pulls.list(**AT, head="octo:exp-1"))] == [made.number]
    assert parsed(bot.pulls.update(**at, title="New")).title == "New"
    assert {each.filename for each in parsed(bot.pulls.list_files(**at))} == {"train.py", "more/notes.md"}
    assert len(parsed(bot.pulls.list_commits(**at))) == 1
    line = {"path": "train.py", "line": 1, "side": "RIGHT", "body": "why 2?"}
    review = parsed(bot.pulls.create_review(**at, event="COMMENT", body="fine", comments=[line]))
    assert review.state == "COMMENTED"
    assert [each.id for each in parsed(bot.pulls.list_reviews(**at))] == [review.id]
    (comment,) = parsed(bot.pulls.list_review_comments(**at))
    assert (comment.line, comment.diff_hunk) == (1, "@@ -1 +1 @@\n-a = 1\n+a = 2")
    assert parsed(bot.pulls.list_comments_for_review(**at, review_id=review.id))[0].id == comment.id
    merged = parsed(bot.pulls.merge(**at, merge_method="squash"))
    assert "merge_commit_sha" not in bot.pulls.get(**at).json()  # the newer version left it out
    assert merged.merged and context.repository.branch("main") == merged.sha
    assert bot.pulls.check_if_merged(**at).status_code == 204
    assert parsed(bot.pulls.get(**at)).merged_by.login == "github-actions[bot]"


def test_issues(bot: Any) -> None:
    made = parsed(bot.issues.create(**AT, title="Idea", body="x", labels=["nocturne:idea"]), 201)
    at = {**AT, "issue_number": made.number}
    assert parsed(bot.issues.get(**at)).labels[0].name == "nocturne:idea"
    assert [each.number for each in parsed(bot.issues.list_for_repo(**AT, labels="nocturne:idea"))] == [
        made.number
    ]
    comment = parsed(bot.issues.create_comment(**at, body="hello"), 201)
    one = {**AT, "comment_id": comment.id}
    assert parsed(bot.issues.update_comment(**one, body="new")).body == "new"
    assert parsed(bot.issues.get_comment(**one)).reactions.total_count == 0
    assert (
        len(parsed(bot.issues.list_comments(**at)))
        == len(parsed(bot.issues.list_comments_for_repo(**AT)))
        == 1
    )
    assert parsed(bot.reactions.create_for_issue_comment(**one, content="eyes"), 201).content == "eyes"
    assert parsed(bot.reactions.list_for_issue_comment(**one))[0].user.login == "github-actions[bot]"
    parsed(bot.reactions.create_for_issue(**at, content="rocket"), 201)
    assert {each.name for each in parsed(bot.issues.add_labels(**at, labels=["more"]))} == {
        "nocturne:idea",
        "more",
    }
    assert [each.name for each in parsed(bot.issues.remove_label(**at, name="nocturne:idea"))] == ["more"]
    assert [each.name for each in parsed(bot.issues.list_labels_on_issue(**at))] == ["more"]
    closed = parsed(bot.issues.update(**at, state="closed", state_reason="not_planned"))
    assert (closed.state, closed.state_reason) == ("closed", "not_planned")
    *labelled, last = bot.issues.list_events(**at).json()  # the union of that schema has no "closed"
    kinds = {"labeled": schemas.LabeledIssueEvent, "unlabeled": schemas.UnlabeledIssueEvent}
    events = [kinds[each["event"]].model_validate(each) for each in labelled]
    assert [each.label.name for each in events] == ["nocturne:idea", "more", "nocturne:idea"]
    assert schemas.StateChangeIssueEvent.model_validate(last).state_reason == "not_planned"
    assert len(parsed(bot.issues.list_events_for_timeline(**at))) == 5


def test_labels(bot: Any) -> None:
    parsed(bot.issues.create_label(**AT, name="b/c", color="00ff00", description="d"), 201)
    assert parsed(bot.issues.get_label(**AT, name="b/c")).color == "00ff00"
    assert parsed(bot.issues.update_label(**AT, name="b/c", new_name="c")).name == "c"
    assert "c" in [each.name for each in parsed(bot.issues.list_labels_for_repo(**AT))]


def test_commits(context: Context, bot: Any) -> None:
    head = context.repository.branch("exp-2") or ""
    made = parsed(
        bot.repos.create_commit_status(**AT, sha=head, state="success", context="nocturne/score"), 201
    )
    assert made.creator.login == "github-actions[bot]"
    combined = parsed(bot.repos.get_combined_status_for_ref(**AT, ref="exp-2"))
    assert (combined.state, combined.total_count) == ("success", 1)
    assert len(parsed(bot.repos.list_commit_statuses_for_ref(**AT, ref=head))) == 1
    commit = parsed(bot.repos.get_commit(**AT, ref=head))
    assert [each.filename for each in commit.files] == ["train.py"] and commit.stats.total == 2
    assert len(parsed(bot.repos.list_commits(**AT, sha="exp-2"))) == 3
    assert parsed(bot.git.get_commit(**AT, commit_sha=head)).message == "third"
    compared = parsed(bot.repos.compare_commits(**AT, basehead="exp-1...exp-2"))
    assert (compared.status, compared.ahead_by, compared.behind_by) == ("ahead", 1, 0)
    file = parsed(bot.repos.get_content(**AT, path="train.py", ref="exp-2"))
    assert (file.type, file.size) == ("file", 6)
    assert {each.type for each in parsed(bot.repos.get_content(**AT, path="", ref="exp-2"))} == {
        "file",
        "dir",
    }


def test_check_runs(context: Context, bot: Any) -> None:
    head = context.repository.branch("exp-2") or ""
    made = parsed(bot.checks.create(**AT, name="report", head_sha=head, status="in_progress"), 201)
    done = {"conclusion": "success", "output": {"title": "t", "summary": "s", "text": "x"}}
    assert parsed(bot.checks.update(**AT, check_run_id=made.id, **done)).status == "completed"
    assert parsed(bot.checks.get(**AT, check_run_id=made.id)).output.summary == "s"
    assert parsed(bot.checks.list_for_ref(**AT, ref="exp-2")).total_count == 1


def test_refs_and_branches(context: Context, bot: Any) -> None:
    head = context.repository.branch("exp-1") or ""
    assert parsed(bot.git.create_ref(**AT, ref="refs/heads/n/x", sha=head), 201).object_.sha == head
    later = context.repository.branch("exp-2") or ""
    assert parsed(bot.git.update_ref(**AT, ref="heads/n/x", sha=later, force=False)).object_.sha == later
    assert parsed(bot.git.get_ref(**AT, ref="heads/n/x")).ref == "refs/heads/n/x"
    assert [each.ref for each in parsed(bot.git.list_matching_refs(**AT, ref="heads/n"))] == [
        "refs/heads/n/x"
    ]
    assert parsed(bot.repos.get_branch(**AT, branch="n/x")).commit.sha == later
    assert "n/x" in [each.name for each in parsed(bot.repos.list_branches(**AT))]
    assert bot.git.delete_ref(**AT, ref="heads/n/x").status_code == 204


def test_actions(context: Context, bot: Any, admin: Any) -> None:
    assert [each.name for each in parsed(bot.actions.list_repo_workflows(**AT)).workflows] == ["Iterate"]
    one = {**AT, "workflow_id": "iterate.yml"}
    assert parsed(bot.actions.get_workflow(**one)).path == ".github/workflows/iterate.yml"
    started = parsed(bot.actions.create_workflow_dispatch(**one, ref="main", inputs={"kind": "b"}))
    run = parsed(bot.actions.get_workflow_run(**AT, run_id=started.workflow_run_id))
    assert (run.event, run.status, run.head_branch) == ("workflow_dispatch", "queued", "main")
    assert parsed(bot.actions.list_workflow_runs(**one)).total_count == 1
    assert parsed(bot.actions.list_workflow_runs_for_repo(**AT, status="completed")).total_count == 0
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("result.json", "{}")
    left = context.repository.artifact("result", packed.getvalue(), run.id)
    assert parsed(bot.actions.list_workflow_run_artifacts(**AT, run_id=run.id)).artifacts[0].id == left.id
    assert parsed(bot.actions.list_artifacts_for_repo(**AT, name="result")).total_count == 1
    assert parsed(admin.actions.get_github_actions_default_workflow_permissions_repository(**AT))
    assert parsed(admin.actions.get_github_actions_permissions_repository(**AT)).enabled
    assert parsed(admin.actions.list_self_hosted_runners_for_repo(**AT)).runners[0].name == "h100"
    assert parsed(admin.actions.list_repo_secrets(**AT)).secrets[0].name == "ANTHROPIC_API_KEY"
    assert bot.repos.create_dispatch_event(**AT, event_type="go").status_code == 204


def test_repository_and_users(bot: Any, admin: Any) -> None:
    repository = parsed(admin.repos.get(**AT))
    assert (repository.private, repository.permissions.admin, repository.default_branch) == (
        True,
        True,
        "main",
    )
    asked = parsed(bot.repos.get_collaborator_permission_level(**AT, username="alice"))
    assert (asked.permission, asked.role_name) == ("admin", "admin")
    assert {each.login for each in parsed(bot.repos.list_collaborators(**AT))} == {"octo", "alice"}
    assert parsed(admin.users.get_authenticated()).login == "alice"
    assert parsed(admin.users.get_by_username(username="octo")).login == "octo"
    assert parsed(admin.rate_limit.get()).resources.core.limit == 5000


@pytest.mark.parametrize(
    ("call", "status", "model"),
    [
        (lambda rest: rest.pulls.get(**AT, pull_number=999), 404, "BasicError"),
        (lambda rest: rest.pulls.create(**AT, head="no", base="main", title="t"), 422, "ValidationError"),
        (lambda rest: rest.issues.create(**AT, title="t" * 257), 422, "ValidationError"),
        (lambda rest: rest.git.get_ref(**AT, ref="heads/no"), 404, "BasicError"),
        (lambda rest: rest.users.get_authenticated(), 403, "BasicError"),
        (lambda rest: rest.actions.list_self_hosted_runners_for_repo(**AT), 403, "BasicError"),
    ],
)
def test_refusals(bot: Any, call: Callable[[Any], Any], status: int, model: str) -> None:
    with pytest.raises(githubkit.exception.RequestFailed) as refused:
        call(bot)
    assert refused.value.response.status_code == status
    body = getattr(schemas, model).model_validate(refused.value.response.json())
    assert body.message and body.documentation_url
