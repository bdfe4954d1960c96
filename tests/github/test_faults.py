"""Failures on demand, lists that lag, limits, and the record of calls."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from bot.base.process import ProcessFailed
from tests.github.context import Context
from tests.github.refusal import refused
from tests.github.server import Fault, GitHub, serve

pytestmark = pytest.mark.doubles

pytest.importorskip("github")
FAULTS = {
    "before": (Fault.before, 502, False),
    "after": (Fault.after, None, True),
    "bad_gateway": (Fault.bad_gateway, 502, True),
    "forbidden": (Fault.forbidden(retry_after=7), 403, False),
    "reset": (Fault.reset, None, False),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_rest(context: Context, name: str) -> None:
    requests = pytest.importorskip("requests")
    fault, status, takes_effect = FAULTS[name]
    issue = context.rest.create_issue("t")
    context.github.faults.next(method="POST", path=r"/repos/.+/comments$", fault=fault, skip=1)
    issue.create_comment("one")
    context.rest.get_issue(1)
    if status is None:
        how = "reset by peer" if fault == Fault.reset else "without response"
        with pytest.raises(requests.ConnectionError, match=how):
            issue.create_comment("two")
    else:
        said = refused(lambda: issue.create_comment("two"))
        assert said.status == status and said.headers.get("retry-after") == ("7" if status == 403 else None)
    last = context.github.calls[-1]
    assert (last.method, last.path, last.status) == ("POST", "/repos/octo/models/issues/1/comments", status)
    bodies = [comment.body for comment in issue.get_comments()]
    assert bodies == (["one", "two"] if takes_effect else ["one"])
    issue.create_comment("three")
    assert [fired.fault for fired in context.github.faults.fired] == [
        fault
    ] and not context.github.faults.pending


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_pushes(context: Context, name: str) -> None:
    fault, status, takes_effect = FAULTS[name]
    head = context.commit("third", {"train.py": "a = 3\n"})
    context.github.faults.next(path="/git-receive-pack$", fault=fault)
    with pytest.raises(ProcessFailed):
        context.push("exp-1")
    assert (context.repository.branch("exp-1") == head) is takes_effect
    assert context.github.git_calls[-1].status == status
    context.push("exp-1")
    assert context.repository.branch("exp-1") == head


def test_every_call_has_its_place(context: Context) -> None:
    """A walk over all calls of a piece of work, git's among them, meets each of them once."""

    def work() -> None:
        context.git("fetch", "--quiet", "origin")
        context.rest.get_branch("main")
        context.git("push", "--quiet", "--force", "origin", "HEAD:refs/heads/exp-1")

    context.rest.get_branch("main")
    first = context.github.faults.count
    work()
    total = context.github.faults.count - first
    for place in range(total):
        context.github.faults.at(place, Fault.before)
        with pytest.raises(Exception, match="502"):
            work()
        context.github.faults.clear()
    met = {fired.path for fired in context.github.faults.fired}
    assert len(context.github.faults.fired) == total and len(met) == 3
    both = sorted(call.index for call in (*context.github.calls, *context.github.git_calls))
    assert both == list(range(context.github.faults.count))


def test_lists_lag(context: Context) -> None:
    """A list shows its state before the last change so many times; what is asked for by number does not."""
    context.github.lag = 2
    pull = context.rest.create_pull("main", "exp-1", title="t")
    assert context.rest.get_pull(1).title == "t"
    assert [len(list(context.rest.get_pulls(head="octo:exp-1"))) for _ in range(4)] == [0, 0, 1, 1]
    assert [len(list(context.rest.get_pulls())) for _ in range(3)] == [0, 0, 1]  # each list by itself
    pull.create_issue_comment("x")
    commit = context.rest.get_commit("exp-1")
    commit.create_status("success")
    assert [len(list(pull.get_issue_comments())) for _ in range(4)] == [0, 0, 1, 1]
    assert [commit.get_combined_status().state for _ in range(3)] == ["pending", "pending", "success"]
    pull.create_issue_comment("y")
    assert [len(list(pull.get_issue_comments())) for _ in range(3)] == [1, 1, 2]
    assert refused(lambda: context.rest.create_pull("main", "exp-1", title="t")).status == 422
    context.github.lag = 0
    pull.create_issue_comment("z")
    assert len(list(pull.get_issue_comments())) == 3


def test_the_primary_limit(context: Context) -> None:
    token = context.github.tokens[context.token]
    before = context.client.get_rate_limit().resources.core.remaining
    context.rest.get_branch("main")
    assert context.client.get_rate_limit().resources.core.remaining < before <= 1000
    context.github.limits.leave(token, 1, reset_in=60)
    context.rest.get_branch("main")
    said = refused(lambda: context.rest.create_issue("t"))
    assert said.status == 403 and said.message.startswith("API rate limit exceeded for user ID")
    assert said.headers["x-ratelimit-remaining"] == "0"
    assert 0 <= int(said.headers["x-ratelimit-reset"]) - time.time() <= 61
    context.github.limits.leave(token, 0, reset_in=-1)
    assert context.rest.create_issue("t").number == 1


def test_the_secondary_limit_counts_writes(context: Context) -> None:
    context.github.limits.writes_per_minute = 2
    context.github.limits.retry_after = 9
    issue = context.rest.create_issue("t")
    issue.create_comment("x")
    said = refused(lambda: issue.create_comment("y"))
    assert (said.status, said.headers["retry-after"]) == (403, "9") and "secondary rate limit" in said.message
    assert len(list(issue.get_comments())) == 1


def test_unchanged_answers_cost_nothing(context: Context) -> None:
    requests = pytest.importorskip("requests")
    url = f"{context.github.api_url}/repos/octo/models/branches/main"
    headers = {"Authorization": f"token {context.token}"}
    first = requests.get(url, headers=headers, timeout=10)
    again = requests.get(url, headers={**headers, "If-None-Match": first.headers["etag"]}, timeout=10)
    assert (again.status_code, again.content) == (304, b"")
    assert requests.get(url, headers=headers, timeout=10).status_code == 200
    assert again.headers["x-ratelimit-remaining"] == first.headers["x-ratelimit-remaining"]


def test_calls_are_written_down(context: Context) -> None:
    context.rest.create_issue("t", body="b")
    context.push("exp-2")
    call = context.github.calls[-1]
    assert (call.method, call.path, call.status) == ("POST", "/repos/octo/models/issues", 201)
    assert (call.token_user, call.body) == ("github-actions[bot]", {"title": "t", "body": "b"})
    assert abs(call.at - time.time()) < 60
    assert {call.path.rpartition(".git")[2] for call in context.github.git_calls} == {
        "/info/refs",
        "/git-receive-pack",
    }
    assert context.token not in repr(context.github)


def test_many_at_once(github: GitHub, context: Context) -> None:
    """Numbers are unique, and of eight that open the same pull request one does."""
    made: list[int] = []
    refusals: list[int] = []

    def open_it() -> None:
        rest = context.client_of(context.token).get_repo("octo/models")
        made.append(rest.create_issue("t").number)
        try:
            rest.create_pull("main", "exp-1", title="t")
        except Exception as error:
            refusals.append(error.status)  # type: ignore[attr-defined]

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(set(made)) == 8 and refusals == [422] * 7
    assert sum(issue.pull is not None for issue in context.repository.contents.issues.values()) == 1


@pytest.mark.timeout(25)  # a connection may idle for 30 seconds
def test_the_end_does_not_wait_for_clients(tmp_path: Path) -> None:
    """Connections left open neither delay it nor leave threads behind."""
    before = threading.active_count()
    with serve(tmp_path) as server:
        context = Context(server, tmp_path / "work")
        context.rest  # noqa: B018 - opens a connection that is kept
    assert threading.active_count() <= before


def test_a_break_of_the_server_itself_is_loud(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="NoneType"), serve(tmp_path) as server:
        context = Context(server, tmp_path / "work")
        context.rest  # noqa: B018 - fetched while all is well
        context.repository.contents.issues = None  # type: ignore[assignment]
        assert refused(lambda: context.rest.create_issue("boom")).status == 500
