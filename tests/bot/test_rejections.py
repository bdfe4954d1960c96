"""Rejections, measured: some of what a model rejects is trained once, and stays rejected."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.agents.proposers.offline import OfflineProposer
from bot.loop.agents import with_agents
from bot.loop.context import Context, open_context
from bot.loop.jobs import decide_experiment, propose_next, train_apart
from bot.loop.render import figures_of
from bot.loop.review import draw
from bot.loop.runner import Until, run_loop
from bot.rules.events import Reviewed
from bot.rules.proposal import Opinion
from bot.rules.rejections import is_drawn, outcome_of
from bot.rules.statistics import Comparison
from bot.tell.display import PlainDisplay
from bot.tell.figures.plain import status_json
from bot.tell.page import report_html
from bot.tell.words import rejections_note
from tests.bot.repositories import CONFIG, TRAIN, events, git, make_repository, nocturne
from tests.bot.telling import report_markdown
from tests.bot.test_revising import REJECT, Checker, Killed, Maker, _ends_in
from tests.bot.thinking import both, good
from tests.messages.minds import use
from tests.messages.server import serve

ALL = f"{CONFIG}stop: {{experiments: 1}}\nreviewer: claude\naudit_share: 1.0\n"
BETTER = TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.004")
WORSE = TRAIN.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.0001")
CRASHES = TRAIN.replace("BATCH_SIZE = 64", "BATCH_SIZE = 1024")


def context_of(folder: Path, maker: Maker | None = None, checker: Checker | None = None) -> Context:
    context = open_context(folder, None, PlainDisplay(io.StringIO()), {}, maker or OfflineProposer())
    return replace(context, reviewer=checker)


def only(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [event for event in events(folder) if event["kind"] == kind]


def assert_it_stays_rejected(folder: Path, experiments: int = 1) -> None:
    decided = only(folder, "experiment_decided")
    assert [event["verdict"] for event in decided] == ["rejected"] * experiments
    assert not only(folder, "experiment_landed") and not any(event["land"] for event in decided)
    assert git(folder, "rev-parse", "nocturne/main") == git(folder, "rev-parse", "main")
    runs = [run["experiment"] for run in only(folder, "run_finished") if run["experiment"] is not None]
    assert sorted(runs) == list(range(1, experiments + 1))  # one run each


def test_what_is_drawn_is_trained_once_and_told(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=ALL.replace("experiments: 1", "experiments: 3"))
    context = context_of(folder, Maker(BETTER, WORSE, CRASHES), Checker(REJECT, REJECT, REJECT))
    run_loop(context, Until())
    assert_it_stays_rejected(folder, experiments=3)
    measured = only(folder, "rejection_measured")
    assert [event["outcome"] for event in measured] == ["better", "worse", "crashed"]
    assert measured[0]["score"] < measured[0]["against"] < measured[1]["score"]
    known = figures_of(context, context.ledger.refresh())
    note = (
        "Of 3 proposals that the reviewer rejected 3 were trained once all the same: 1 would have been better,"
        " 1 would have been worse, 1 would have crashed."
    )
    assert rejections_note(known) == note
    assert note in report_markdown(known) and note in report_html(known)
    said = nocturne(folder, "show", "1").stdout
    assert "it looked better than its incumbent" in said and "It stays rejected." in said
    assert "status nocturne/review: failure" in said and "status nocturne/score" not in said
    assert known.best is not None and known.best.commit == git(folder, "rev-parse", "main")
    told = status_json(known)["rejections"]
    assert told == {
        "by_model": 3, "trained": 3, "better": 1, "worse": 1, "unclear": 0, "crashed": 1, "refused": 0,
    }  # fmt: skip


@pytest.mark.long
def test_claude_rejects_and_what_it_says_is_measured(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=f"{ALL}proposer: claude\n")
    refusing = use("review", {"answer": "reject", "reason": "I doubt it.", "remarks": []})
    with serve(both(good(), lambda request, number: refusing)) as api:
        context = with_agents(context_of(folder), api.environ)
        run_loop(context, Until())
        assert api.refusals == []
    assert_it_stays_rejected(folder)
    (measured,) = only(folder, "rejection_measured")
    assert measured["outcome"] == "better"
    assert "1 would have been better" in rejections_note(figures_of(context, context.ledger.refresh()))


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    return context_of(make_repository(tmp_path_factory.mktemp("draw") / "repo", config=ALL))


REVIEWED = Reviewed(1, 1, False, ("It was tried.",), "abc", reviewer="claude-opus-5-5")


def test_only_what_a_model_rejected_for_good_is_drawn(context: Context) -> None:
    assert len(draw(context, REVIEWED)) == 1
    for other in (
        replace(REVIEWED, approved=True),
        replace(REVIEWED, revise=True),
        replace(REVIEWED, reviewer="rules"),
        replace(REVIEWED, reviewer="rules (Claude: it refused to answer)"),
    ):
        assert draw(context, other) == []
    for less in ({"reviewer": "rules"}, {"audit_share": 0.0}):
        assert draw(replace(context, config=context.config.model_copy(update=less)), REVIEWED) == []


def test_the_draw_repeats_and_keeps_its_share() -> None:
    drawn = [number for number in range(1, 5001) if is_drawn("main", 0, number, 0.1)]
    assert drawn == [number for number in range(1, 5001) if is_drawn("main", 0, number, 0.1)]
    assert 400 < len(drawn) < 600
    assert set(drawn) <= {number for number in range(1, 5001) if is_drawn("main", 0, number, 0.2)}
    assert drawn != [number for number in range(1, 5001) if is_drawn("other", 0, number, 0.1)]


@pytest.mark.parametrize(
    ("effect", "lower", "outcome"),
    [(-0.3, True, "better"), (0.3, True, "worse"), (-0.1, True, "unclear"), (0.3, False, "better")],
)
def test_one_run_says_no_more_than_its_noise_allows(effect: float, lower: bool, outcome: str) -> None:
    result = Comparison(effect, 0.2, 1 + effect, 1.0, 1, 2, 0.1)
    assert outcome_of(result, lower_is_better=lower) == outcome
    assert outcome_of(None, lower_is_better=lower) == "unclear"


@pytest.mark.long
@pytest.mark.parametrize(
    "at",
    [
        2,
        pytest.param(4, marks=pytest.mark.long),
        *(pytest.param(at, marks=pytest.mark.slow) for at in (1, 3, 5)),
    ],
)
def test_a_kill_before_any_append_loses_nothing(tmp_path: Path, at: int) -> None:
    """Killed before the `at`-th append after the review, another process goes on; the run is made once."""
    folder = make_repository(tmp_path / "repo", config=ALL)
    checker = Checker(REJECT)
    context = context_of(folder, Maker(BETTER), checker)
    append, appended = context.ledger.append, 0

    def counting(*arguments: Any, **more: Any) -> Any:
        nonlocal appended
        if checker.cases:
            appended += 1
            if appended == at:
                raise Killed
        return append(*arguments, **more)

    context.ledger.append = counting  # type: ignore[method-assign]
    killed = _ends_in(Killed, lambda: run_loop(context, Until()))
    assert killed
    run_loop(context_of(folder, Maker(), Checker(REJECT)), Until())
    assert_it_stays_rejected(folder)
    assert len(only(folder, "rejection_drawn")) == len(only(folder, "rejection_measured")) == 1
    assert len(only(folder, "experiment_finished")) == 1


@pytest.mark.long
def test_in_three_jobs_the_one_that_trains_makes_the_run(tmp_path: Path) -> None:
    remote = tmp_path / "origin.git"
    make_repository(tmp_path / "repo", config=ALL, remote=remote)
    count = 0

    def clone(maker: Maker | None = None, *opinions: Opinion) -> Context:
        nonlocal count
        count += 1
        folder = tmp_path / f"clone-{count}"
        git(tmp_path, "clone", "--quiet", str(remote), str(folder))
        return context_of(folder, maker, Checker(*opinions))

    assert propose_next(clone(Maker(BETTER), REJECT), finish_first=True) == 1
    lost = tmp_path / "nothing.json"
    assert decide_experiment(clone(), 1, lost) == (1, False)
    assert not only(remote, "experiment_finished")
    assert propose_next(clone(Maker()), finish_first=True) == 1
    path, refs = tmp_path / "handover.json", git(remote, "for-each-ref")
    train_apart(clone(), 1, path)
    assert git(remote, "for-each-ref") == refs
    assert decide_experiment(clone(), 1, path) == (1, True)
    git(tmp_path / "repo", "fetch", "--quiet", "origin", "+refs/heads/nocturne/*:refs/heads/nocturne/*")
    assert_it_stays_rejected(tmp_path / "repo")
    (measured,) = only(remote, "rejection_measured")
    assert measured["outcome"] == "better" and len(only(remote, "experiment_finished")) == 1
