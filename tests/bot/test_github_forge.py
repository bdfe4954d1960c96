"""The forge on GitHub: the conformance suite over real HTTP and git, its own cases, and every call failing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.errors import UserError
from bot.forge import Comment, LineComment, NotFound, Report, Review
from bot.forge.choose import open_forge
from bot.forge.github import GitHubForge
from bot.forge.github_client import LONGEST_WAIT, WRITES_A_MINUTE
from bot.forge.github_records import unsigned
from bot.forge.labels import LABELS
from bot.git import Git, RemoteUnreachable, patience
from bot.git.remote import Remote, github_repository, github_token
from bot.rules.events import PullOpened
from tests.bot.forge_conformance import *  # noqa: F403
from tests.bot.forge_conformance import BASE, EXP, World, open_one
from tests.bot.forge_conformance import __name__ as conformance
from tests.bot.forge_readers import ReadableGitHub
from tests.bot.storage import make_repository, sh
from tests.families import few
from tests.github.faults import Fault
from tests.github.server import GitHub, serve

WRITE = dict.fromkeys(("contents", "pull-requests", "statuses", "issues", "checks"), "write")
BEGUN = Report("nocturne/report", None, "training next", "soon")
REPORT = Report("nocturne/report", "success", "improved: 0.97", "**improved**", "| run |")
KINDS = (Fault.before, Fault.after, Fault.bad_gateway, Fault.forbidden(retry_after=1), Fault.reset)


@dataclass
class Home:
    """A repository on the server, and clones of it with forges that need not really wait."""

    folder: Path
    github: GitHub
    token: str = ""
    waits: list[float] = field(default_factory=list)
    clones: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.repository = self.github.repository("octo/models", private=True, default_branch="main")
        self.token = self.token or self.workflow_token()

    def workflow_token(self, **permissions: str) -> str:
        return self.github.token(
            "github-actions[bot]",
            kind="workflow",
            repository=self.repository,
            permissions=WRITE | permissions,
        )

    @property
    def url(self) -> str:
        return f"{self.github.server_url}/octo/models.git"

    def environ(self, token: str | None = None) -> dict[str, str]:
        return {
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_SERVER_URL": self.github.server_url,
            "GITHUB_TOKEN": token or self.token,
        }

    def clone(self, token: str | None = None) -> tuple[Git, ReadableGitHub]:
        git = make_repository(self.folder / f"clone-{next(self.clones)}")
        sh(git.top, "remote", "add", "origin", self.url)
        return self.forge(git, token)

    def forge(self, git: Git, token: str | None = None) -> tuple[Git, ReadableGitHub]:
        known, forge = open_forge(
            git, Remote("origin", "github"), self.environ(token), sleep=self.waits.append
        )
        assert isinstance(forge, GitHubForge)
        return known, ReadableGitHub(known, "origin", forge.client)

    def world(self, token: str | None = None) -> World:
        git, forge = self.clone(token)
        return World(git, forge, lambda: self.clone(token)[1])

    def rest(self, since: int = 0) -> list[str]:
        """Return the REST calls made, as `POST /repos/octo/models/pulls`."""
        return [f"{call.method} {call.path}" for call in self.github.calls[since:]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setattr(patience, "PAUSE", 0.0)
    with serve(tmp_path / "github") as github:
        yield Home(tmp_path, github)


@pytest.fixture
def place() -> str:
    return "on GitHub"


@pytest.fixture
def world(home: Home, place: str) -> World:
    return home.world()


# Of the conformance suite, whose tests all run with the local forge, and here in CI.
QUICK = (
    "test_open_get_find", "test_landing_merges_the_pull_request", "test_statuses", "test_comments_are_updated_in_place",
    "test_a_review_is_written_once_and_stays", "test_unknown_numbers",
)  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.function.__module__ == conformance and metafunc.function.__name__ not in QUICK:
        metafunc.parametrize("place", [pytest.param("on GitHub", marks=pytest.mark.long)])


# Few calls


def test_an_experiment_takes_few_calls(home: Home, world: World) -> None:
    first, second = world.start()
    forge = world.forge
    number = forge.open_pull(head=EXP, base=BASE, title="t", body="b", is_new=True).number
    at = forge.put_report(second, BEGUN, is_new=True)
    other_job = world.again()
    for _ in range(2):
        assert other_job.put_report(second, REPORT, at=at) == at
    assert forge.pull_state(number, head=second, base=BASE) == "open"
    assert forge.land(BASE, second, first) == "landed"
    assert forge.edit_pull(number, body="all of it", labels=("nocturne", LABELS["improved"])) == "merged"
    forge.delete_branch(EXP)
    issue = home.repository.contents.issues[number]
    assert issue.pull is not None and issue.pull.merged_sha == second
    assert sorted(issue.labels) == ["nocturne", "nocturne:improved"]
    calls = home.rest()
    # create, the report twice, all that the pull request says, and the colours of the 2 new labels
    assert len(calls) == 6, calls
    assert len(home.github.queries) == 2 and home.waits == []
    for label in ("nocturne", LABELS["improved"]):
        assert home.repository.contents.labels[label].color != "ededed"
    world.start(head="nocturne/exp-2")
    other = forge.open_pull(head="nocturne/exp-2", base=BASE, title="t", body="b", is_new=True).number
    forge.edit_pull(other, body="c", labels=("nocturne",), close=True)
    assert (
        len(home.rest()) == 8
    )  # the colours are there; and one that is closed takes no more than one merged


def test_a_label_that_a_human_puts_on_meanwhile_stays(home: Home, world: World) -> None:
    number = open_one(world)
    world.forge.edit_pull(number, labels=("nocturne",))
    assert len(home.rest()) == 4  # searched for, opened, labelled, and the label's colour
    issue = home.repository.contents.issues[number]
    for label in ("Good one", "nocturne:lost"):
        issue.labels.append(home.repository.label(label).name)
    world.forge.edit_pull(number, labels=("nocturne", LABELS["improved"]))
    assert sorted(issue.labels) == ["Good one", "nocturne", "nocturne:improved"]


# Reports


def test_a_token_that_may_not_write_check_runs_is_told_of_once(home: Home) -> None:
    first, second = home.world().start()
    for token in (home.workflow_token(checks="read"), home.github.token("octo")):
        notes: list[str] = []
        git = home.clone()[0]
        _, forge = open_forge(
            git, Remote("origin", "github"), home.environ(token), notes.append, sleep=home.waits.append
        )
        before = len(home.github.calls)
        assert [forge.put_report(sha, REPORT, is_new=True) for sha in (first, second)] == [None, None]
        assert len(home.github.calls) - before == 1
        assert len(notes) == 1 and "checks: write" in notes[0]
    assert home.repository.contents.check_runs == {}


def test_a_report_that_another_process_wrote_is_not_written_again(home: Home, world: World) -> None:
    _, second = world.start()
    assert world.forge.put_report(second, REPORT, is_new=True)
    before = len(home.rest())
    assert world.again().put_report(second, REPORT)
    assert [call.split()[0] for call in home.rest(before)] == ["GET"]
    (run,) = home.repository.contents.check_runs.values()
    assert (run.name, run.status, run.conclusion) == ("nocturne/report", "completed", "success")


@pytest.mark.long
def test_writes_are_spread_before_github_must_say_so(home: Home, world: World) -> None:
    _, second = world.start()
    for number in range(WRITES_A_MINUTE + 2):
        world.forge.set_status(sha=second, context="c", state="pending", description=str(number))
    assert len(home.waits) == 2 and all(50 < wait <= 60 for wait in home.waits)


# Reviews

REVIEW = Review("review/1", "Not yet.", (LineComment("train.py", 1, "too far"),))


def test_a_review_of_a_new_pull_request_is_one_call(home: Home, world: World) -> None:
    number, sha = open_one(world), world.forge.branch_head(EXP)
    assert sha is not None
    before = len(home.rest())
    world.forge.review_pull(number, sha, REVIEW, instead="in words")
    assert [call.split()[0] for call in home.rest(before)] == ["POST"]
    (kept,) = home.repository.contents.reviews.values()
    assert (kept.state, kept.commit) == ("COMMENTED", sha) and kept.body.startswith(
        "<!-- nocturne:review/1 -->"
    )
    (line,) = home.repository.contents.review_comments.values()
    assert (line.path, line.line, line.side, line.body) == ("train.py", 1, "RIGHT", "too far")
    before = len(home.rest())
    world.again().review_pull(number, sha, REVIEW, instead="in words")
    assert [call.split()[0] for call in home.rest(before)] == ["GET"]


@pytest.mark.parametrize("comment", [LineComment("train.py", 99, "x"), LineComment("prepare.py", 1, "x")])
def test_a_line_that_github_does_not_know_is_told_in_words(
    home: Home, world: World, comment: LineComment
) -> None:
    number, sha = open_one(world), world.forge.branch_head(EXP)
    assert sha is not None
    inside = REVIEW.comments[0]
    world.forge.review_pull(number, sha, Review("review/1", "b", (inside, comment)), instead="all in words")
    assert world.again().reviews(number) == [Review("review/1", "all in words")]


@pytest.mark.parametrize("fault", few(KINDS, 2, in_ci=3), ids=lambda fault: fault.kind)
def test_a_review_is_not_doubled_by_failures_and_late_lists(home: Home, world: World, fault: Fault) -> None:
    number, sha = open_one(world), world.forge.branch_head(EXP)
    assert sha is not None
    home.github.lag = 2
    home.github.faults.next("POST", "/reviews$", fault)
    world.forge.review_pull(number, sha, REVIEW, instead="in words")
    home.github.lag = 0
    assert world.again().reviews(number) == [REVIEW]
    assert len(home.repository.contents.review_comments) == 1


def test_another_ones_review_with_our_mark_is_not_ours(home: Home, world: World) -> None:
    number, sha = open_one(world), world.forge.branch_head(EXP)
    assert sha is not None
    home.repository.private = False
    _, other = home.clone(home.github.token("mallory", kind="pat"))
    other.review_pull(number, sha, Review("review/1", "fine"), instead="")
    assert world.again().reviews(number) == []
    world.again().review_pull(number, sha, REVIEW, instead="")
    assert world.again().reviews(number) == [REVIEW]


def test_a_review_needs_its_permission(home: Home, world: World) -> None:
    number, sha = open_one(world), world.forge.branch_head(EXP)
    assert sha is not None
    _, weak = home.clone(home.workflow_token(**{"pull-requests": "read"}))
    with pytest.raises(UserError, match="it needs `pull-requests: write`"):
        weak.review_pull(number, sha, REVIEW, instead="")
    assert home.repository.contents.reviews == {}


# Eventual consistency


def test_lists_that_lag_double_nothing(home: Home, world: World) -> None:
    home.github.lag = 3
    number = open_one(world)
    assert world.again().open_pull(head=EXP, base=BASE, title="Other", body="").number == number
    home.github.faults.next("POST", r"/comments$", Fault.after)
    world.forge.upsert_comment(number, "status", "one")
    home.github.lag = 0
    assert world.again().comments(number) == [Comment("status", "one")]
    assert len(home.github.repository("octo/models").contents.issues) == 1


def test_a_pull_request_that_no_list_shows_is_not_opened_again(home: Home, world: World) -> None:
    home.github.lag = 100
    open_one(world)
    with pytest.raises(RemoteUnreachable, match="does not list it yet"):
        world.again().open_pull(head=EXP, base=BASE, title="Other", body="")
    assert len(home.repository.contents.issues) == 1


def test_another_ones_comment_with_our_mark_is_not_ours(home: Home, world: World) -> None:
    number = open_one(world)
    home.repository.private = False
    stranger = home.github.token("mallory", kind="pat")
    _, other = home.clone(stranger)
    other.upsert_comment(number, "status", "all is lost")
    assert world.again().comments(number) == []
    world.again().upsert_comment(number, "status", "all is well")
    assert world.again().comments(number) == [Comment("status", "all is well")]


def test_a_comment_that_a_human_deleted_is_written_again(home: Home, world: World) -> None:
    number = open_one(world)
    world.forge.upsert_comment(number, "status", "one")
    home.repository.contents.comments.clear()
    world.forge.upsert_comment(number, "status", "two")
    assert world.again().comments(number) == [Comment("status", "two")]


def test_a_comment_whose_number_is_known_is_not_looked_for(home: Home, world: World) -> None:
    number = open_one(world)
    at = world.forge.upsert_comment(number, "status", "one")
    before = len(home.rest())
    assert world.again().upsert_comment(number, "status", "two", at=at) == at
    assert [call.split()[0] for call in home.rest(before)] == ["PATCH"]
    home.repository.contents.comments.clear()  # a human deleted it
    assert world.again().upsert_comment(number, "status", "three", at=at) != at
    assert world.again().comments(number) == [Comment("status", "three")]


def test_the_head_of_a_closed_pull_request_is_there_for_everybody(home: Home, world: World) -> None:
    number = open_one(world)
    sha = world.forge.get_pull(number).head_sha
    world.forge.delete_branch(EXP)
    git, other = home.clone()
    assert git.resolve(sha) is None
    other.fetch_pulls([PullOpened(1, number, EXP, "")])
    assert git.resolve(sha) == sha


# Issues

HUMAN: dict[str, Any] = {
    "title": "A human, please",
    "body": "It crashed.",
    "labels": ("nocturne:needs-human",),
}


def issues(home: Home) -> list[Any]:
    return [issue for issue in home.repository.contents.issues.values() if issue.pull is None]


def test_an_issue_takes_two_calls_and_its_label_a_third(home: Home, world: World) -> None:
    opened, _ = world.forge.upsert_issue("human", **HUMAN)
    assert [call.split()[0] for call in home.rest()] == ["GET", "POST", "PATCH"]
    assert home.repository.contents.labels["nocturne:needs-human"].color != "ededed"
    world.again().upsert_issue("human", **HUMAN)
    assert len(home.rest()) == 4  # a look, and all is as it should be
    world.forge.close_issue(opened, "completed")
    assert [issue.reason for issue in issues(home)] == ["completed"]


@pytest.mark.parametrize("fault", few(KINDS, 2, in_ci=3), ids=lambda fault: fault.kind)
def test_an_issue_is_not_doubled_by_failures_and_late_lists(home: Home, world: World, fault: Fault) -> None:
    home.github.lag = 2
    home.github.faults.next("POST", "/issues$", fault)
    opened, _ = world.forge.upsert_issue("human", **HUMAN)
    home.github.faults.next("PATCH", f"/issues/{opened}$", fault)
    world.forge.close_issue(opened, "not_planned")
    assert [(issue.number, issue.state, issue.reason) for issue in issues(home)] == [
        (opened, "closed", "not_planned")
    ]


def test_another_ones_issue_with_our_mark_is_not_ours(home: Home, world: World) -> None:
    home.repository.private = False
    _, other = home.clone(home.github.token("mallory", kind="pat"))
    foreign, _ = other.upsert_issue("human", **HUMAN)
    home.repository.contents.issues[foreign].labels.append("nocturne:needs-human")
    ours, _ = world.forge.upsert_issue("human", **HUMAN)
    assert ours != foreign
    assert world.again().upsert_issue("human", **HUMAN)[0] == ours


# What GitHub refuses


@pytest.mark.parametrize(
    ("lacks", "act", "names"),
    few([
        ("pull-requests", lambda f, _: f.open_pull(head=EXP, base=BASE, title="t", body=""), "pull-requests: write"),
        ("statuses", lambda f, s: f.set_status(sha=s, context="c", state="error", description="d"), "statuses: write"),
        ("issues", lambda f, _: f.upsert_issue("other", **HUMAN), "issues: write"),
        ("issues", lambda f, _: f.close_issue(1, "completed"), "issues: write"),
    ], 1),
)  # fmt: skip
def test_a_missing_permission_is_named(
    home: Home, world: World, lacks: str, act: Callable[[Any, str], Any], names: str
) -> None:
    _, second = world.start()
    world.forge.upsert_issue("human", **HUMAN)
    _, weak = home.clone(home.workflow_token(**{lacks: "read"}))
    with pytest.raises(UserError, match=f"it needs `{names}`.*`permissions:` in the workflow"):
        act(weak, second)
    assert home.waits == []


def test_a_token_that_may_not_open_pull_requests_names_the_setting(home: Home, world: World) -> None:
    world.start()
    home.repository.actions_may_open_pulls = False
    with pytest.raises(UserError, match="settings, under Actions, General"):
        world.forge.open_pull(head=EXP, base=BASE, title="t", body="")


def test_what_the_token_cannot_see_is_said_to_be_so(home: Home, world: World) -> None:
    number = open_one(world)
    _, blind = home.clone(home.github.token("mallory", kind="pat"))
    for act in (
        lambda: blind.get_pull(number),
        lambda: blind.edit_pull(number, close=True),
        lambda: blind.upsert_comment(number, "k", "b"),
    ):
        with pytest.raises(UserError, match="octo/models must be visible to it"):
            act()
    _, unknown = home.clone("ghp_" + "x" * 36)
    with pytest.raises(UserError, match="put a token that is valid into NOCTURNE_GITHUB_TOKEN"):
        unknown.get_pull(number)
    with pytest.raises(RemoteUnreachable, match="contents: write") as caught:
        unknown.branch_head(EXP)
    assert "xxxx" not in str(caught.value)
    with pytest.raises(NotFound):
        world.forge.get_pull(number + 1)


def test_long_titles_and_odd_characters_are_taken(home: Home, world: World) -> None:
    world.start()
    pull = world.forge.open_pull(head=EXP, base=BASE, title="a\n" * 300, body="x\0y \ud800 z")
    assert len(pull.title) == 256 and "\n" not in pull.title
    assert pull.body == "xy ? z"


# Patience


def test_rate_limits_are_waited_for_and_not_for_ever(home: Home, world: World) -> None:
    open_one(world)
    home.github.faults.next("GET", "/issues/1/comments$", Fault.forbidden(retry_after=7))
    assert world.forge.comments(1) == []
    assert home.waits == [7.0]
    home.github.limits.leave(home.github.tokens[home.token], 0, reset_in=LONGEST_WAIT + 60)
    with pytest.raises(RemoteUnreachable, match="rate limit is used up for another 16 minutes"):
        world.forge.comments(1)
    assert home.waits == [7.0]


def test_requests_are_spread_before_the_limit_is_met(home: Home) -> None:
    notes: list[str] = []
    _, forge = open_forge(
        home.clone()[0],
        Remote("origin", "github"),
        home.environ(home.token),
        notes.append,
        sleep=home.waits.append,
    )
    assert isinstance(forge, GitHubForge)
    limit = home.github.limits.workflow
    home.github.limits.leave(home.github.tokens[home.token], limit // 10 + 1, reset_in=1000)
    for _ in range(3):
        forge.client.get("")
    assert len(home.waits) == 1, "a tenth is left after the first, and less after the second"
    assert len(notes) == 1 and f"99 more of {limit} requests for 17 minutes" in notes[0]
    assert home.waits[0] == pytest.approx(1000 / (limit / 10), rel=0.1)


def test_a_look_is_one_query_and_takes_no_request(home: Home, world: World) -> None:
    number = open_one(world)
    before, queries = len(home.rest()), len(home.github.queries)
    seen = world.again().get_pull(number)
    assert world.again().open_pulls(BASE) == {number: seen} and seen.edited == frozenset()
    assert (len(home.rest()) - before, len(home.github.queries) - queries) == (0, 2)
    home.github.faults.next("POST", "^/graphql$", Fault.before)
    assert world.forge.get_pull(number) == seen
    assert len(home.rest()) == before


@pytest.mark.parametrize("times", [1, 3], ids=["refused", "no answer"])
def test_what_graphql_does_not_say_is_asked_of_rest(home: Home, world: World, times: int) -> None:
    number = open_one(world)
    forge = world.again()
    for _ in range(times):
        fault = Fault.forbidden(retry_after=60) if times == 1 else Fault.before
        home.github.faults.next("POST", "^/graphql$", fault)
    before, queries = len(home.rest()), len(home.github.queries)
    assert forge.get_pull(number).number == number and list(forge.open_pulls(BASE)) == [number]
    assert [call.split()[0] for call in home.rest(before)] == ["GET", "GET"]
    assert len(home.github.queries) - queries == times
    assert world.forge.get_pull(number).number == number
    with pytest.raises(NotFound):
        world.again().get_pull(99)


def test_an_outage_ends_in_one_sentence(home: Home, world: World) -> None:
    _, second = world.start()
    for _ in range(3):
        home.github.faults.next("POST", "/statuses/", Fault.before)
    with pytest.raises(
        RemoteUnreachable, match=r"does not answer POST /statuses/.*status 502.*run again later"
    ):
        world.forge.set_status(sha=second, context="c", state="success", description="")
    world.forge.set_status(sha=second, context="c", state="success", description="")
    assert len(world.forge.statuses(second)) == 1


# Every call failing


def rest_scenario(forge: GitHubForge, head: str, base: str, sha: str) -> list[Any]:
    """Do once what an experiment does by REST, and return what came of it."""
    number = forge.open_pull(head=head, base=base, title="t", body="b").number
    forge.set_status(sha=sha, context=head, state="success", description="d")
    forge.upsert_comment(number, "status", "one")
    forge.upsert_comment(number, "status", "two")
    forge.review_pull(number, sha, REVIEW, instead="in words")
    forge.put_report(sha, REPORT, is_new=True)
    forge.edit_pull(number, labels=("nocturne:old",))
    return [forge.edit_pull(number, body="c", labels=("nocturne", f"x {number}"), close=True)]


def rest_traces(home: Home, head: str, sha: str) -> list[Any]:
    """Return what the server has of one scenario."""
    contents = home.repository.contents
    pulls = [issue for issue in contents.issues.values() if issue.pull and issue.pull.head == head]
    numbers = {issue.number for issue in pulls}
    comments = [c.body for c in contents.comments.values() if c.issue in numbers]
    comments += [each.body for each in contents.review_comments.values() if each.issue in numbers]
    reports = [run.conclusion for run in contents.check_runs.values() if run.sha == sha]
    labels = [sorted(issue.labels) == ["nocturne", f"x {issue.number}"] for issue in pulls]
    said = [(unsigned(issue.body or "")[0], issue.state) for issue in pulls]
    return [len(pulls), said, labels, comments, reports]


@pytest.mark.parametrize(
    ("lag", "ways"),
    [
        pytest.param(1, 1, marks=pytest.mark.long),  # each call once, each way twice
        pytest.param(0, len(KINDS), marks=pytest.mark.slow),
        pytest.param(1, len(KINDS), marks=pytest.mark.slow),
    ],
)
def test_every_rest_call_may_fail_in_every_way(home: Home, world: World, lag: int, ways: int) -> None:
    first, _ = world.start()
    home.github.lag = lag

    def play(index: int | None, kind: Fault, case: int) -> tuple[list[Any], list[Any], int]:
        head = f"nocturne/exp/walk/{case}"
        sha = world.commit(first, f"case {case}")
        sh(world.git.top, "push", "--quiet", str(home.repository.path), f"{sha}:refs/heads/{head}")
        _, forge = home.forge(world.git)
        start = home.github.faults.count
        if index is not None:
            home.github.faults.at(index, kind)
        came = rest_scenario(forge, head, BASE, sha)
        return came, rest_traces(home, head, sha), home.github.faults.count - start

    play(None, Fault.before, 0)  # colours the labels, once in a repository
    came, traces, calls = play(None, Fault.before, 1)
    comments = ["<!-- nocturne:status -->\ntwo", "too far"]
    assert traces == [1, [("c", "closed")], [True], comments, ["success"]] and calls == 11
    walk = [(call, KINDS[(call + turn) % len(KINDS)]) for turn in range(ways) for call in range(calls)]
    for case, (index, kind) in enumerate(walk, start=2):
        assert play(index, kind, case)[:2] == (came, traces), (index, kind)
    cases = len(walk)
    assert len(home.github.faults.fired) == cases and home.github.faults.pending == 0
    print(f"{calls} REST calls, {cases} failures: nothing doubled")


# Login


def test_the_token_goes_to_its_host_and_into_no_file(home: Home, tmp_path: Path) -> None:
    git, forge = home.clone()
    sha = git.resolve("HEAD")
    assert sha is not None
    forge.push_branch("nocturne/main", sha)
    assert forge.branch_head("nocturne/main") == sha
    with serve(tmp_path / "elsewhere") as elsewhere:
        elsewhere.repository("octo/models")
        elsewhere.tokens.update(home.github.tokens)
        with pytest.raises(RemoteUnreachable):
            git.fetch(f"{elsewhere.server_url}/octo/models.git", ["refs/heads/main"])
        assert {call.token_user for call in elsewhere.git_calls} == {None}
    written = [path for path in git.top.rglob("*") if path.is_file()]
    assert len(written) > 10
    assert not any(home.token.encode() in path.read_bytes() for path in written)


def test_a_login_that_the_checkout_left_is_not_used(home: Home) -> None:
    git = make_repository(home.folder / "checkout")
    sh(git.top, "remote", "add", "origin", home.url)
    sh(git.top, "config", f"http.{home.github.server_url}/.extraheader", "AUTHORIZATION: basic eDp5")
    sha = git.resolve("HEAD")
    assert sha is not None
    _, forge = home.forge(git)
    forge.push_branch("nocturne/main", sha)
    assert home.github.git_calls[-1].token_user == "github-actions[bot]"


@pytest.mark.parametrize(
    ("url", "environ", "said"),
    [
        ("https://github.com/a/b", {}, "there is no token: set NOCTURNE_GITHUB_TOKEN or GITHUB_TOKEN"),
        ("https://github.com/a/b", {"GH_TOKEN": "t", "GITHUB_SERVER_URL": "https://ghe.example.org"}, "another GitHub"),
        ("https://ghe.example.org/a/b", {"GH_TOKEN": "t", "GITHUB_SERVER_URL": "https://github.com"}, "another"),
        ("https://github.com/a/b", {"GH_TOKEN": "t", "GITHUB_API_URL": "api.github.com"}, "API_URL: .* is no URL"),
        ("https://github.com/a", {"GH_TOKEN": "t"}, "names no repository"),
    ],
)  # fmt: skip
def test_addresses_must_fit_together(tmp_path: Path, url: str, environ: dict[str, str], said: str) -> None:
    git = make_repository(tmp_path / "repo")
    with pytest.raises(UserError, match=said):
        open_forge(git, Remote(url, "github"), environ)


def test_opening_costs_no_import_and_no_call(tmp_path: Path) -> None:
    import subprocess
    import sys

    make_repository(tmp_path / "repo")
    code = (
        "import sys, pathlib\nfrom bot.forge.choose import open_forge\nfrom bot.git import Git\n"
        "from bot.git.remote import Remote\n"
        "git = Git.open(pathlib.Path(sys.argv[1]))\n"
        "_, forge = open_forge(git, Remote('git@github.com:a/b.git', 'github'), {'GITHUB_TOKEN': 't'})\n"
        "print(type(forge).__name__, {'github', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(tmp_path / "repo")], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "GitHubForge set()\n", done.stderr


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/octo/models.git", "octo/models"), ("https://github.com/octo/models/", "octo/models"),
        ("git@github.com:octo/models.git", "octo/models"), ("ssh://git@ssh.github.com:443/octo/models", "octo/models"),
        ("https://user:secret@github.com/octo/my.models", "octo/my.models"), ("https://github.com/octo", None),
        ("https://github.com/a/b/c", None), ("../octo/models", None), ("git@github.com:/octo/models", "octo/models"),
    ],
)  # fmt: skip
def test_the_repository_is_read_from_any_url(url: str, expected: str | None) -> None:
    assert github_repository(url) == expected


def test_the_first_token_that_is_set_counts() -> None:
    every = {"GH_TOKEN": "c", "GITHUB_TOKEN": "b", "NOCTURNE_GITHUB_TOKEN": "a"}
    assert github_token(every) == "a"
    assert github_token(every | {"NOCTURNE_GITHUB_TOKEN": " "}) == "b"
    assert github_token({"GH_TOKEN": "c\n"}) == "c"
    assert github_token({}) is None
