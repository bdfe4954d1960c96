"""Credentials, what they let see, and what they let do; over REST and over git."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable

import pytest
from github.Repository import Repository

from bot.base.process import ProcessFailed, run
from tests.github.context import PERMISSIONS, Context
from tests.github.refusal import refused
from tests.github.server import GitHub

pytestmark = pytest.mark.doubles

pytest.importorskip("github")


def test_who_sees_a_private_repository(github: GitHub, context: Context) -> None:
    def status(token: str | None) -> int:
        return refused(lambda: context.client_of(token).get_repo("octo/models")).status

    assert status("ghp_unknown") == 401
    assert status(None) == status(github.token("eve")) == 404
    other = github.token("x[bot]", "workflow", github.repository("octo/other"), PERMISSIONS)
    assert status(other) == 404
    context.repository.collaborator("eve", "read")
    shown = context.client_of(github.token("eve")).get_repo("octo/models")
    assert (shown.private, shown.permissions.pull, shown.permissions.push) == (True, True, False)
    token = github.token("eve")
    github.revoke(token)
    assert status(token) == 401


def test_public_repositories_are_read_by_all_and_written_by_none(github: GitHub) -> None:
    context = Context(github, github.folder / "public", private=False)
    context.commit("first", {"a": "1"})
    context.push("main")
    assert context.client_of(None).get_repo("octo/models").get_branch("main").name == "main"
    context.git("fetch", "--quiet", "origin", token="")
    assert refused(lambda: context.client_of(None).get_repo("octo/models").create_issue("t")).status == 401
    with pytest.raises(ProcessFailed, match="could not read Username"):
        context.push("x", token="")


@pytest.mark.parametrize("lacking", sorted(PERMISSIONS))
def test_each_permission_is_asked_for(github: GitHub, context: Context, lacking: str) -> None:
    """A token without one permission fails where it is needed, and there only."""
    wanted: dict[str, Callable[[Repository], object]] = {
        "contents": lambda r: r.create_git_ref("refs/heads/x", r.get_branch("main").commit.sha),
        "pull-requests": lambda r: r.create_pull("main", "exp-1", title="t"),
        "statuses": lambda r: r.get_commit("exp-1").create_status("success"),
        "issues": lambda r: r.create_issue("t"),
        "actions": lambda r: list(r.get_workflow_runs()),
        "checks": lambda r: r.create_check_run("n", r.get_branch("exp-1").commit.sha),
    }
    given = {name: level for name, level in PERMISSIONS.items() if name != lacking}
    if lacking != "actions":  # so that the way to the call is open
        given[lacking] = "read"
    rest = context.client_of(github.token("b[bot]", "workflow", context.repository, given)).get_repo(
        "octo/models"
    )
    for name, call in wanted.items():
        if name == lacking:
            said = refused(functools.partial(call, rest))
            assert (said.status, said.message) == (403, "Resource not accessible by integration")
            assert lacking.replace("-", "_") in said.headers["x-accepted-github-permissions"]
        else:
            call(rest)


def test_writing_to_pull_requests_is_not_writing_to_issues(github: GitHub, context: Context) -> None:
    only = {"contents": "read", "pull-requests": "write", "issues": "read"}
    rest = context.client_of(github.token("b[bot]", "workflow", context.repository, only)).get_repo(
        "octo/models"
    )
    pull = rest.create_pull("main", "exp-1", title="t")
    issue = context.rest.create_issue("t")
    pull.create_issue_comment("fine").edit("better")
    pull.add_to_labels("fine")
    assert refused(lambda: rest.get_issue(issue.number).create_comment("no")).status == 403
    assert refused(lambda: rest.get_issue(issue.number).add_to_labels("no")).status == 403


def test_people_act_by_their_role(github: GitHub, context: Context) -> None:
    head = context.git("rev-parse", "HEAD")
    pull = context.rest.create_pull("main", "exp-1", title="t")
    for role, labels, pushes, administers in (
        ("read", False, False, False),
        ("triage", True, False, False),
        ("write", True, True, False),
        ("admin", True, True, True),
    ):
        login = f"user-{role}"
        context.repository.collaborator(login, role)  # type: ignore[arg-type]
        rest = context.client_of(github.token(login)).get_repo("octo/models")
        rest.get_issue(1).create_comment("hello")
        for may, call in (
            (labels, lambda rest=rest, role=role: rest.get_issue(1).add_to_labels(role)),
            (pushes, lambda rest=rest: rest.get_commit(head).create_status("success")),
            (administers, lambda rest=rest: list(rest.get_self_hosted_runners())),
        ):
            if may:
                call()
            else:
                assert refused(call).status == 403
        assert context.rest.get_collaborator_permission(login) == {"triage": "read"}.get(role, role)
    assert refused(lambda: context.rest.get_collaborator_permission("nobody")).status == 404
    github.user("stranger")
    assert context.rest.get_collaborator_permission("stranger") == "none"
    assert next(iter(pull.get_issue_comments())).user.login == "user-read"


def test_only_apps_make_check_runs_and_only_people_are_somebody(github: GitHub, context: Context) -> None:
    context.repository.collaborator("alice", "admin")
    alice = context.client_of(github.token("alice"))
    head = context.git("rev-parse", "HEAD")
    said = refused(lambda: alice.get_repo("octo/models").create_check_run("n", head))
    assert (said.status, said.message) == (403, "You must authenticate via a GitHub App.")
    assert alice.get_user().login == "alice"
    assert refused(lambda: context.client.get_user().login).status == 403


def test_the_setting_that_lets_actions_open_pull_requests(context: Context) -> None:
    context.repository.actions_may_open_pulls = False
    said = refused(lambda: context.rest.create_pull("main", "exp-1", title="t"))
    assert (said.status, said.message) == (
        403,
        "GitHub Actions is not permitted to create or approve pull requests.",
    )


def test_git_asks_for_credentials_as_github_does(github: GitHub, context: Context) -> None:
    requests = pytest.importorskip("requests")
    url = f"{github.server_url}/octo/models.git/info/refs?service=git-upload-pack"

    def ask(token: str | None, name: str = "x-access-token", where: str = url) -> tuple[int, str | None]:
        auth = None if token is None else (name, token)
        answer = requests.get(where, auth=auth, timeout=10)
        return answer.status_code, answer.headers.get("www-authenticate")

    asked = 401, 'Basic realm="GitHub"'
    assert ask(None) == ask("ghp_wrong") == asked
    assert ask(None, where=url.replace("models", "none")) == asked  # does not say whether it exists
    assert ask(context.token) == ask(context.token, "anybody") == (200, None)
    assert ask(github.token("eve")) == (404, None)
    reader = github.token("b[bot]", "workflow", context.repository, {"contents": "read"})
    assert ask(reader) == (200, None)
    assert ask(reader, where=url.replace("upload", "receive")) == (403, None)
    assert ask(github.token("c[bot]", "workflow", context.repository, {"issues": "write"})) == (403, None)
    bearer = base64.b64encode(b"x:y").decode()
    assert requests.get(url, headers={"Authorization": f"Bearer {bearer}"}, timeout=10).status_code == 401
    assert github.git_calls[-1].status == 401 and github.git_calls[-1].token_user is None


def test_workflow_files_need_their_own_permission(github: GitHub, context: Context) -> None:
    """As GitHub: only where a branch has the same file already may a job's token push one."""
    context.repository.collaborator("alice", "write")
    context.commit("workflow", {".github/workflows/iterate.yml": "on: push\n"})
    with pytest.raises(ProcessFailed, match=r"without `workflows` permission"):
        context.push("exp-2")
    with pytest.raises(ProcessFailed, match="declined"):
        context.push("exp-2", token=github.token("alice", permissions={}))
    assert context.repository.branch("exp-2") is None
    context.push("main", token=github.token("alice"))
    context.commit("on top", {"train.py": "x\n"})
    context.push("exp-2")
    context.commit("change", {".github/workflows/iterate.yml": "on: [push]\n"})
    with pytest.raises(ProcessFailed, match=r"iterate\.yml"):
        context.push("exp-2")
    context.push("side", token=github.token("alice"))
    context.git("push", "--quiet", "origin", ":side")
    sha = context.git("rev-parse", "HEAD")
    assert "iterate.yml" in refused(lambda: context.rest.create_git_ref("refs/heads/x", sha)).message
    context.git("checkout", "--quiet", "--orphan", "ledger")
    context.git("rm", "-r", "--quiet", "--force", ".")
    context.commit("ledger", {"events.jsonl": "{}\n"})
    context.push("nocturne/ledger")


def test_what_git_refuses(context: Context) -> None:
    with pytest.raises(ProcessFailed, match="hidden ref"):
        context.git("push", "--quiet", "origin", "HEAD:refs/pull/1/head")
    with pytest.raises(ProcessFailed, match=r"non-fast-forward|fetch first"):
        context.git("push", "--quiet", "origin", "HEAD~1:refs/heads/exp-1")
    with pytest.raises(ProcessFailed, match="refusing to delete"):
        context.git("push", "--quiet", "origin", ":main")


def test_large_and_shallow_transfers(context: Context) -> None:
    """Chunked pushes, compressed requests and clones of depth 1 go as with git's own server."""
    lines = "\n".join(str(number * 7919 % 1_000_003) for number in range(600_000))
    head = context.commit("large", {"data.txt": lines})
    context.push("large")
    assert context.repository.branch("large") == head
    shallow = context.path.parent / "shallow"
    context.git(
        "clone",
        "--quiet",
        "--depth=1",
        "--branch=large",
        f"{context.github.server_url}/octo/models.git",
        str(shallow),
    )
    assert run(["git", "-C", str(shallow), "rev-list", "--count", "HEAD"]) == b"1\n"
    assert (shallow / "data.txt").read_text() == lines
