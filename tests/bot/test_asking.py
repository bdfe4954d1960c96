"""The issue that asks for a human: opened once, kept up to date, closed when mended; and never in the way."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.agents.proposers.offline import OfflineProposer
from bot.commands.cli import main
from bot.errors import NotAllowed, UserError
from bot.forge import github as github_forge
from bot.forge import github_client, github_issues
from bot.git import patience
from bot.loop.asking import ask, thank
from bot.loop.context import Context, open_context
from bot.loop.reconciling import reconcile
from bot.loop.runner import Until, run_loop
from bot.loop.start import ensure_started
from bot.loop.working import begin
from bot.rules.campaign import Campaign, fold
from bot.rules.events import (
    CampaignStarted,
    Event,
    ExperimentClaimed,
    HumanAnswered,
    HumanAsked,
    HumanTold,
    Recorded,
    from_json,
    to_json,
)
from bot.rules.experiment import Asked
from bot.rules.schedule import Begin
from bot.rules.stopping import is_fixed
from bot.tell.display import PlainDisplay
from tests.bot.campaigns import HOSTILE
from tests.bot.forge_readers import readable
from tests.bot.repositories import CONFIG, SCORE, TRAIN, events, git, make_repository, nocturne
from tests.bot.telling import issue_body
from tests.github.faults import Fault
from tests.github.records import Issue
from tests.github.server import GitHub, Repository, serve

pytestmark = pytest.mark.usefixtures("people_read")

AT = "2026-03-08T21:00:00.000+00:00"
PERMISSIONS = dict.fromkeys(("contents", "pull-requests", "statuses", "issues"), "write")
NO_PULLS = {"pull-requests": "read"}
KINDS = (Fault.before, Fault.after, Fault.bad_gateway, Fault.forbidden(retry_after=0), Fault.reset)
BROKEN = SCORE + "raise SystemExit('no data: @octocat')\n"
STARTED = CampaignStarted("main", "main", "c" * 40, "loss", "minimize", 0)


# On the ledger


def folded(*written: Event) -> Campaign:
    return fold([Recorded(event, AT, "x") for event in (STARTED, *written)])


def test_an_experiment_that_begins_mends_most_things() -> None:
    asked = HumanAsked(1, 1, "crashes", "5 crashed")
    assert not is_fixed(folded(asked).asked)  # type: ignore[arg-type]
    after = folded(asked, HumanTold(1, 1, 9, "u"), ExperimentClaimed(1, "c"))
    assert after.asked == Asked(1, 1, "crashes", "5 crashed", told=True, issue=9, url="u", begun=1)
    assert is_fixed(after.asked)
    done = folded(asked, HumanTold(1, 1, 9, "u"), ExperimentClaimed(1, "c"), HumanAnswered(1))
    assert done.asked is None and done.asks == 1


def test_a_lacking_right_is_mended_only_when_a_second_experiment_begins() -> None:
    """What is refused at an experiment's end does not hinder the next one's beginning."""
    asked = HumanAsked(1, 1, "permissions", "no")
    one = folded(asked, HumanTold(1, 1, 9, "u"), ExperimentClaimed(1, "c"))
    assert one.asked is not None and not is_fixed(one.asked)
    again = folded(
        asked, HumanTold(1, 1, 9, "u"), ExperimentClaimed(1, "c"), HumanAsked(1, 2, "permissions", "no")
    )
    assert again.asked is not None and (again.asked.begun, again.asked.told) == (0, True)
    other = folded(asked, HumanTold(1, 1, 9, "u"), HumanAsked(1, 2, "baseline", "fails"))
    assert other.asked is not None and (other.asked.told, other.asked.issue) == (False, 9)


def test_events_are_read_as_they_were_written() -> None:
    for event in (HumanAsked(1, 2, "baseline", "d"), HumanTold(1, 2, 9, "u"), HumanAnswered(1)):
        assert from_json(to_json(event, at=AT, by="host/1")).event == event


# What it says


@pytest.mark.parametrize("detail", HOSTILE)
def test_words_of_others_do_nothing_in_it(detail: str) -> None:
    body = issue_body(
        folded(), Asked(1, 1, "crashes", detail), name="main", branch="nocturne/main", config="x.yml",
        on_github=True, job="javascript:alert(1)",
    )  # fmt: skip
    assert not any(
        live in body for live in ("@o", "https:", "<img", "<script", "javascript:alert(1)]", "\x1b")
    )


# On the local forge


def told(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [event for event in events(folder) if event["kind"] == kind]


def test_a_streak_of_crashes_asks_and_is_answered(tmp_path: Path) -> None:
    config = CONFIG + "stop: {crashes_in_row: 2}\n"
    # Whatever is changed crashes.
    score = SCORE + f"assert open('train.py').read() == {TRAIN!r}\n"
    folder = make_repository(tmp_path / "repo", config=config, files={"score.py": score})
    for _ in range(2):  # the second time nothing is new
        assert "crashes" in nocturne(folder, "run").stdout
    (asked,), (opened,) = told(folder, "human_asked"), told(folder, "human_told")
    assert asked["reason"] == "crashes" and asked["detail"].startswith("2 experiments crashed in a row")
    context = open_context(folder, None, PlainDisplay(io.StringIO()), {}, OfflineProposer())
    issue = readable(context.forge).get_issue(opened["issue"])
    assert (issue.state, issue.labels) == ("open", ("nocturne:needs-human",))
    for part in (
        "2 experiments crashed in a row",
        "- experiment 1: ",
        "- experiment 2: ",
        "`nocturne resume`",
    ):
        assert part in issue.body, part
    nocturne(folder, "resume")
    nocturne(folder, "run", "-n", "1")
    issue = readable(context.forge).get_issue(issue.number)
    assert (issue.state, issue.reason) == ("closed", "completed")
    (said,) = readable(context.forge).comments(issue.number)
    assert "**Fixed.** The loop goes on: " in said.body and len(told(folder, "human_answered")) == 1
    assert "crashes" in nocturne(folder, "run").stdout  # a new streak is a new issue
    assert [event["number"] for event in told(folder, "human_asked")] == [1, 2]
    assert told(folder, "human_told")[1]["issue"] != issue.number


def test_an_incumbent_that_fails_asks(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", files={"score.py": BROKEN})
    assert "the incumbent itself fails" in nocturne(folder, "run", code=2).stderr
    (opened,) = told(folder, "human_told")
    context = open_context(folder, None, PlainDisplay(io.StringIO()), {}, OfflineProposer())
    body = readable(context.forge).get_issue(opened["issue"]).body
    assert body.count("- run ") == 2 and "fix the task on the campaign's branch `nocturne/main`" in body
    assert "@octocat" not in body


@pytest.mark.long
def test_no_human_is_asked_where_none_is_needed(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=CONFIG + "stop: {experiments: 1}\n")
    nocturne(folder, "run")
    nocturne(folder, "stop")
    nocturne(folder, "run")
    assert told(folder, "human_asked") == []


# On GitHub


@dataclass
class Home:
    """A repository on the server, and its clone."""

    folder: Path
    github: GitHub
    permissions: dict[str, str] = field(default_factory=lambda: dict(PERMISSIONS))
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.repository: Repository = self.github.repository(
            "octo/models", private=True, default_branch="main"
        )
        self.top = make_repository(self.folder / "repo", config=CONFIG, files=self.files, shared=True)
        git(self.top, "push", "--quiet", str(self.repository.path), "main")
        git(self.top, "remote", "add", "origin", f"{self.github.server_url}/octo/models.git")
        self.said = io.StringIO()

    def environ(self, **permissions: str) -> dict[str, str]:
        given = self.permissions | {name.replace("_", "-"): level for name, level in permissions.items()}
        token = self.github.token("github-actions[bot]", "workflow", self.repository, given)
        return {
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_SERVER_URL": self.github.server_url,
            "GITHUB_REPOSITORY": "octo/models",
            "GITHUB_TOKEN": token,
        }

    def context(self, **permissions: str) -> Context:
        """A new process: nothing is remembered."""
        display = PlainDisplay(self.said)
        return open_context(self.top, None, display, self.environ(**permissions), OfflineProposer())

    @property
    def issues(self) -> list[Issue]:
        return [issue for issue in self.repository.contents.issues.values() if issue.pull is None]

    def comments(self) -> list[str]:
        ours = {issue.number for issue in self.issues}
        return [each.body for each in self.repository.contents.comments.values() if each.issue in ours]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setattr(patience, "PAUSE", 0.0)
    monkeypatch.setattr(github_client, "PAUSE", 0.0)
    monkeypatch.setattr(github_forge, "LAGS", (0.0, 0.0, 0.0, 0.0))
    monkeypatch.setattr(github_issues, "_LAGS", (0.0, 0.0, 0.0))
    with serve(tmp_path / "github") as github:
        github.limits.workflow = 10**6
        yield Home(tmp_path, github)


@pytest.mark.long
def test_one_issue_is_kept_up_to_date_and_closed(home: Home) -> None:
    ensure_started(home.context())
    for _ in range(2):
        ask(home.context(), "gpu_hours", "2.00 GPU-hours are used, stop.gpu_hours is 2")
    calls = len(home.github.calls)
    ask(home.context(), "gpu_hours", "2.00 GPU-hours are used, stop.gpu_hours is 2")
    assert len(home.github.calls) == calls  # it is told already
    ask(home.context(), "baseline", "the incumbent itself fails")
    (issue,) = home.issues
    assert "the incumbent itself fails" in issue.title and "GPU-hours" not in (issue.body or "")
    assert issue.labels == ["nocturne:needs-human"]
    context = home.context()
    assert begin(context, reconcile(context), Begin(1)) == 1
    run_loop(home.context(), Until(experiments=1))
    (issue,) = home.issues
    assert (issue.state, issue.reason) == ("closed", "completed")
    assert len(home.comments()) == 1


def claim(home: Home, number: int) -> None:
    home.context().ledger.append(lambda _: [ExperimentClaimed(number, STARTED.base_commit)])


def cycle(home: Home, number: int, *, fail: tuple[str, int, Fault] | None = None) -> tuple[int, int]:
    """Ask, go on, and thank, each by processes of their own; `fail` names the one of which a call fails.

    Return how many calls asking and thanking took.
    """
    took = []
    for what in ("ask", "thank"):
        for turn in range(2 if fail is not None else 1):
            context = home.context()
            before = home.github.faults.count
            if fail is not None and fail[0] == what and turn == 0:
                home.github.faults.at(fail[1], fail[2])
            with contextlib.suppress(UserError):
                if what == "ask":
                    ask(context, "gpu_hours", f"{number} GPU-hours are used")
                elif (asked := context.ledger.refresh().asked) is not None:
                    thank(context, asked)
            assert home.github.faults.pending == 0 or not fail or not fail[0], fail
            took.append(home.github.faults.count - before)
        if what == "ask":
            (opened,) = (issue for issue in home.issues if issue.state == "open")
            assert f"{number} GPU-hours" in (opened.body or ""), fail
            assert home.context().ledger.refresh().asked.told, fail  # type: ignore[union-attr]
            claim(home, number)
    assert all(issue.state == "closed" for issue in home.issues) and len(home.issues) == number, fail
    assert len(home.comments()) == number and home.context().ledger.refresh().asked is None, fail
    return took[0], took[-1]


def walk(home: Home, kinds: Sequence[Fault]) -> int:
    """Fail each call of asking and thanking in each way; return how many failed."""
    ensure_started(home.context())
    cycle(home, 1)
    calls = cycle(home, 2)  # the first one colours the label too
    number = 2
    for what, most in zip(("ask", "thank"), calls, strict=True):
        for index in range(most):
            for kind in kinds:
                number += 1
                cycle(home, number, fail=(what, index, kind))
    return number - 2


@pytest.fixture
def hasty(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Processes that give up at the first failure, so that it is the next one that mends."""
    monkeypatch.setattr(github_client, "TRIES", 1)
    monkeypatch.setattr(patience, "TRIES", 1)
    return home


@pytest.mark.long
def test_a_job_may_die_over_what_others_see(hasty: Home) -> None:
    """Its three writes: the issue, the comment, the closing."""
    ensure_started(hasty.context())
    cycle(hasty, 1)
    verbs = [
        call.method for call in hasty.github.calls if call.method != "GET" and "/labels" not in call.path
    ]
    assert verbs == ["POST", "POST", "PATCH"]
    number = 1
    for method, path in (("POST", "/issues$"), ("POST", "/comments$"), ("PATCH", r"/issues/\d+$")):
        for kind in (Fault.before, Fault.after):
            number += 1
            hasty.github.faults.next(method, path, kind)
            cycle(hasty, number, fail=("", 0, kind))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_job_may_die_at_any_call_in_every_way(hasty: Home) -> None:
    assert walk(hasty, KINDS) >= 100


@pytest.mark.long
def test_a_token_that_may_not_open_issues_holds_nothing_up(home: Home) -> None:
    context = home.context(issues="read")
    ensure_started(context)
    ask(context, "baseline", "it fails")
    assert "issues: write" in home.said.getvalue() and home.issues == []
    begin(context, reconcile(context), Begin(1))
    run_loop(context, Until(experiments=1))
    assert context.ledger.refresh().asked is None  # nobody was told, and it is mended


@pytest.mark.long
def test_an_issue_that_is_gone_holds_nothing_up(home: Home) -> None:
    context = home.context()
    ensure_started(context)
    ask(context, "baseline", "it fails")
    home.repository.contents.issues.clear()
    begin(context, reconcile(context), Begin(1))
    run_loop(home.context(), Until(experiments=1))
    assert "is gone" in home.said.getvalue() and home.context().ledger.refresh().asked is None


def proposed(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **permissions: str
) -> str:
    """Run `nocturne propose` as a workflow does, and return the error that it ends with."""
    for name, value in (
        home.environ(**permissions) | {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "77"}
    ).items():
        monkeypatch.setenv(name, value)
    assert main(["propose", "--repo", str(home.top), "--finish-first"]) == 2
    return capsys.readouterr().err


@pytest.mark.long
def test_a_lacking_right_is_said_in_the_issue(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        error = proposed(home, monkeypatch, capsys, **NO_PULLS)
        assert error.startswith("nocturne: GitHub does not let the token open the pull request of")
    (issue,) = home.issues
    body = issue.body or ""
    assert "pull-requests: write" in body and "closed by itself" in body
    assert f"({home.github.server_url}/octo/models/actions/runs/77)" in body
    assert "experiment 1" in body
    run_loop(home.context(), Until(experiments=3))
    assert home.issues[0].state == "closed"


def test_a_right_to_push_that_lacks_is_said_once(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then the ledger can't know of the issue: it is found by its mark."""
    for begun in (False, True):
        if begun:
            ensure_started(home.context())
        assert "`contents: write`" in proposed(home, monkeypatch, capsys, contents="read")
        (issue,) = home.issues
        assert "contents: write" in (issue.body or "") and "close it yourself" in (issue.body or "")


@pytest.mark.long
def test_the_first_error_is_never_hidden(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = proposed(home, monkeypatch, capsys, issues="read", **NO_PULLS)
    assert (
        error.startswith("nocturne: GitHub does not let the token open the pull request of")
        and home.issues == []
    )
    home.github.faults.next("POST", "/issues$", Fault.before)
    error = proposed(home, monkeypatch, capsys, **NO_PULLS)
    assert error.startswith("nocturne: GitHub does not let the token open the pull request of")


@pytest.mark.long
def test_nobody_is_asked_on_a_human_s_own_machine(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotAllowed):
        run_loop(home.context(**NO_PULLS), Until(experiments=1))
    for name, value in home.environ(**NO_PULLS).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert main(["propose", "--repo", str(home.top)]) == 2
    assert home.issues == []
