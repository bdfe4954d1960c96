"""Reviews that a mind gives: approval, one revision, rejection; and a revision that is cut short anywhere."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bot.agents.constants import changes_between
from bot.agents.protocol import Case, Question
from bot.loop.context import Context, open_context
from bot.loop.runner import Until, run_loop
from bot.rules.proposal import Opinion, Proposal, Remark
from bot.tell.display import PlainDisplay
from tests.bot.forge_readers import readable
from tests.bot.repositories import CONFIG, TRAIN, events, git, make_repository, nocturne

pytestmark = pytest.mark.usefixtures("people_read")

LESS_DROPOUT = TRAIN.replace("DROPOUT = 0.2", "DROPOUT = 0.1")
FASTER = TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.004")
APPROVE = Opinion("approve", "It does what it says.", (), "a checker")
REVISE = Opinion("revise", "Halve it at most.", (Remark("train.py", 4, "too far"),), "a checker")
REJECT = Opinion("reject", "It was tried.", (), "a checker")


class Maker:
    """Proposes one file after the other, and keeps what it was asked."""

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)
        self.asked: list[Question] = []

    def propose(self, question: Question) -> Proposal | None:
        self.asked.append(question)
        if not self._texts:
            return None
        files: Mapping[str, str] = {"train.py": self._texts.pop(0)}
        changes = changes_between({"train.py": TRAIN}, files)
        return Proposal(
            f"Try {len(self.asked)}", "other", "Because.", "better", "low", files, changes, "script"
        )


class Checker:
    """Says one opinion after the other, and keeps what it was shown."""

    def __init__(self, *opinions: Opinion) -> None:
        self._opinions = list(opinions)
        self.cases: list[Case] = []

    def review(self, case: Case) -> Opinion:
        self.cases.append(case)
        return self._opinions.pop(0)


def context_of(folder: Path, maker: Maker, checker: Checker) -> Context:
    context = open_context(folder, None, PlainDisplay(io.StringIO()), {}, maker)
    return replace(context, reviewer=checker)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo", config=f"{CONFIG}stop: {{experiments: 1}}\n")


def kinds(folder: Path) -> list[str]:
    return [event["kind"] for event in events(folder) if event.get("experiment") == 1]


def only(folder: Path, kind: str) -> list[dict[str, object]]:
    return [event for event in events(folder) if event["kind"] == kind]


def test_what_is_approved_trains(folder: Path) -> None:
    checker = Checker(APPROVE)
    run_loop(context_of(folder, Maker(FASTER), checker), Until())
    (reviewed,) = only(folder, "reviewed")
    assert (reviewed["approved"], reviewed["reviewer"], reviewed["revise"]) == (True, "a checker", False)
    assert only(folder, "experiment_decided")[0]["verdict"] == "improved"
    said = nocturne(folder, "show", "1").stdout
    assert "status nocturne/review: success, a checker: It does what it says." in said
    (case,) = checker.cases
    assert case.base["train.py"] == TRAIN and case.proposed["train.py"] == FASTER and case.may_revise
    assert "Because" not in repr(replace(case, library=None))  # type: ignore[arg-type]


def test_what_is_rejected_does_not_train(folder: Path) -> None:
    run_loop(context_of(folder, Maker(FASTER), Checker(REJECT)), Until())
    (decided,) = only(folder, "experiment_decided")
    assert (decided["verdict"], decided["reason"]) == ("rejected", "It was tried.")
    assert not [run for run in only(folder, "run_finished") if run["experiment"] == 1]
    assert "status nocturne/review: failure, It was tried." in nocturne(folder, "show", "1").stdout


def test_a_revision_is_a_further_round_of_the_same_pull_request(folder: Path) -> None:
    maker, checker = Maker(LESS_DROPOUT, FASTER), Checker(REVISE, APPROVE)
    run_loop(context_of(folder, maker, checker), Until())
    revision = maker.asked[1].revision
    assert revision is not None and maker.asked[0].revision is None
    assert revision.files == {"train.py": LESS_DROPOUT} and revision.hypothesis == "Try 1"
    assert revision.reasons == ("Halve it at most.", "train.py line 4: too far")
    assert [case.may_revise for case in checker.cases] == [True, False]
    assert checker.cases[1].proposed["train.py"] == FASTER
    assert [event["round"] for event in only(folder, "candidate_built")] == [1, 2]
    assert len(only(folder, "pull_opened")) == 1 and len(only(folder, "proposal_revised")) == 1
    runs = [run for run in only(folder, "run_finished") if run["experiment"] == 1]
    second = only(folder, "candidate_built")[1]
    assert {run["commit"] for run in runs} == {second["commit"]}
    assert git(folder, "show", "nocturne/main:train.py") == FASTER.rstrip()
    said = nocturne(folder, "show", "1").stdout
    assert "Experiment 1: Try 2" in said and "Pull request 1: Try 2" in said
    assert "Revised: 1 time" in git_body(folder)
    assert "on a newer incumbent" not in git_body(folder)


def git_body(folder: Path) -> str:
    from bot.loop.context import open_context

    context = open_context(folder, None, PlainDisplay(io.StringIO()), {}, Maker())
    return readable(context.forge).get_pull(1).body


def test_it_is_asked_for_once(folder: Path) -> None:
    run_loop(context_of(folder, Maker(LESS_DROPOUT, FASTER), Checker(REVISE, REVISE)), Until())
    (decided,) = only(folder, "experiment_decided")
    assert decided["verdict"] == "rejected" and len(only(folder, "proposal_revised")) == 1


@pytest.mark.parametrize(
    "second", [(), pytest.param((LESS_DROPOUT,), marks=pytest.mark.long)], ids=["none", "the same again"]
)
def test_without_a_better_version_it_is_rejected(folder: Path, second: tuple[str, ...]) -> None:
    run_loop(context_of(folder, Maker(LESS_DROPOUT, *second), Checker(REVISE)), Until())
    (decided,) = only(folder, "experiment_decided")
    assert decided["verdict"] == "rejected"
    assert decided["reason"] == "Halve it at most.; train.py line 4: too far; no better version came"


class Killed(BaseException):
    """What a kill is to a test within one process."""


@pytest.mark.long
@pytest.mark.parametrize(
    "at",
    [
        1,
        pytest.param(6, marks=pytest.mark.long),
        *(pytest.param(at, marks=pytest.mark.slow) for at in (2, 3, 4, 5, 7, 8)),
    ],
)
def test_a_kill_before_any_append_of_a_revision_loses_nothing(folder: Path, at: int) -> None:
    """Killed before the `at`-th append after the first review, another clone goes on and comes to the same."""
    maker, checker = Maker(LESS_DROPOUT, FASTER, FASTER), Checker(REVISE, APPROVE, APPROVE)
    context = context_of(folder, maker, checker)
    append, appended = context.ledger.append, 0

    def counting(*arguments: object, **more: object) -> object:
        nonlocal appended
        if checker.cases:
            appended += 1
            if appended == at:
                raise Killed
        return append(*arguments, **more)  # type: ignore[arg-type]

    context.ledger.append = counting  # type: ignore[method-assign,assignment]
    killed = _ends_in(Killed, lambda: run_loop(context, Until()))
    if killed:
        again = Checker(*([REVISE] if not only(folder, "reviewed") else []), APPROVE)
        rest = Maker(*([FASTER] if not only(folder, "proposal_revised") else []))
        run_loop(context_of(folder, rest, again), Until())
    assert [event["round"] for event in only(folder, "candidate_built")] == [1, 2]
    assert len(only(folder, "proposal_revised")) == 1 and len(only(folder, "pull_opened")) == 1
    assert git(folder, "show", "nocturne/main:train.py") == FASTER.rstrip()


def _ends_in(error: type[BaseException], action: Callable[[], object]) -> bool:
    try:
        action()
    except error:
        return True
    return False


@pytest.mark.long
def test_another_clone_rebuilds_a_revision_that_was_not_pushed(tmp_path: Path) -> None:
    config = f"{CONFIG}stop: {{experiments: 1}}\nlease_minutes: 0.05\n"
    first = make_repository(tmp_path / "one", config=config, remote=tmp_path / "origin.git")
    second = tmp_path / "two"
    git(tmp_path, "clone", "--quiet", str(tmp_path / "origin.git"), str(second))
    context = context_of(first, Maker(LESS_DROPOUT, FASTER), Checker(REVISE))
    pushed = context.forge.replace_branch

    def replace_branch(branch: str, sha: str, **more: object) -> None:
        if len(only(first, "candidate_built")) == 2:
            raise Killed
        pushed(branch, sha, **more)  # type: ignore[arg-type]

    context.forge.replace_branch = replace_branch  # type: ignore[method-assign]
    assert _ends_in(Killed, lambda: run_loop(context, Until()))
    git(second, "fetch", "--quiet", "origin", "nocturne/ledger:nocturne/ledger")
    checker = Checker(APPROVE)
    run_loop(context_of(second, Maker(), checker), Until())
    assert checker.cases[0].proposed["train.py"] == FASTER
    git(second, "fetch", "--quiet", "--force", "origin", "nocturne/ledger:nocturne/ledger")
    assert only(second, "experiment_decided")[0]["verdict"] == "improved"
