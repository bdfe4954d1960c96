"""Numbers and texts from outside: absurd ones are refused by name, or read as no measurement; nothing overflows."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.config import parse
from bot.errors import UserError
from bot.git import Git
from bot.git.remote import choose_remote
from bot.ledger import Ledger
from bot.ledger.store import LedgerStore
from bot.loop import handover
from bot.rules import bounds
from bot.rules import events as ev
from bot.rules.campaign import Campaign, fold
from bot.rules.schedule import run_id, seed_of
from bot.tell.figures.campaign import figures
from bot.tell.page import report_html
from evaluator import bounds as measured
from tests.bot.campaigns import NOW, SIGMA, Night, commit_of
from tests.bot.judged import Judged
from tests.bot.repositories import CONFIG, make_repository, nocturne
from tests.bot.telling import report_markdown
from tests.families import few

COMMIT = "a" * 40
RUN: dict[str, Any] = {
    "kind": "run_finished", "run": run_id(COMMIT, 1), "experiment": 1, "commit": COMMIT, "replicate": 1,
    "seed": seed_of(0, "experiment 1", 1), "score": 3.0, "failure": None, "metrics": {"x": 1}, "fingerprint": "f",
    "jail": "bubblewrap", "runner": "one H100", "seconds": 1.0, "gpu_seconds": 1.0, "curve": [[1, 2, 3.5]],
}  # fmt: skip
CONTEXT: Any = types.SimpleNamespace(
    config=parse(f"{CONFIG}seed: 0\n")[1], name="main", base="main",
    git=types.SimpleNamespace(resolve=lambda _: None, read_blob=lambda *_: None),
)  # fmt: skip
MANY: int = 10**400
ESCAPE = "\x1b]0;x\x07<!channel> @everyone"


def nested(depth: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


ABSURD: dict[str, tuple[dict[str, Any], str]] = {
    "score of many digits": ({"score": MANY}, "score"),
    "score beyond measure": ({"score": 1e155}, "score"),
    "infinite score": ({"score": float("inf")}, "score"),
    "no number": ({"score": float("nan")}, "score"),
    "score is true": ({"score": True}, "score"),
    "score is text": ({"score": "3"}, "score"),
    "metric of many digits": ({"metrics": {"x": MANY}}, "metrics.'x'"),
    "metric is true": ({"metrics": {"x": True}}, "metrics.'x'"),
    "metric is nested": ({"metrics": {"x": {"y": 1}}}, "metrics.'x'"),
    "metrics is a list": ({"metrics": [1]}, "metrics"),
    "name of a metric": ({"metrics": {ESCAPE: 1.0}}, "can't be seen"),
    "negative seconds": ({"seconds": -1.0}, "seconds"),
    "negative gpu seconds": ({"gpu_seconds": -1e9}, "gpu_seconds"),
    "huge gpu seconds": ({"gpu_seconds": 1e29}, "gpu_seconds"),
    "replicate is text": ({"replicate": "1"}, "replicate"),
    "replicate is true": ({"replicate": True}, "replicate"),
    "replicate of many digits": ({"replicate": MANY}, "replicate"),
    "negative replicate": ({"replicate": -1}, "name or seed"),
    "seed is true": ({"seed": True}, "seed"),
    "experiment is true": ({"experiment": True}, "experiment"),
    "curve of many digits": ({"curve": [[1, 2, MANY]]}, "curve"),
    "curve of two": ({"curve": [[1, 2]]}, "curve"),
    "curve of truths": ({"curve": [[True, True, True]]}, "curve"),
    "curve without an end": ({"curve": [[1, 2, 3.0]] * 5_000}, "curve"),
    "curve nested": ({"curve": nested(200)}, "curve"),
    "escape in runner": ({"runner": ESCAPE}, "runner"),
    "invisible in jail": ({"jail": "bubble\u200bwrap"}, "jail"),
    "lines in a reason": ({"score": None, "failure": {"class": "nan", "reason": "a\nb"}}, "failure.'reason'"),
    "reason without an end": ({"score": None, "failure": {"class": "nan", "reason": "a" * 20_000}}, "failure"),
    "reason is a number": ({"score": None, "failure": {"class": 5, "reason": "x"}}, "failure"),
    "neither score nor failure": ({"score": None}, "must have a score or a failure"),
    "another seed": ({"seed": 5}, "another name or seed"),
    "another commit": ({"commit": "b" * 40}, "another experiment"),
}  # fmt: skip


def test_a_run_as_training_leaves_it_is_taken() -> None:
    run = ev.from_json(dict(RUN)).event
    assert isinstance(run, ev.RunFinished)
    handover._check_run(CONTEXT, {COMMIT: 1}, run, "experiment 1")


@pytest.mark.parametrize("name", ABSURD)
def test_an_absurd_run_is_refused_by_name(name: str) -> None:
    change, named = ABSURD[name]
    with pytest.raises(
        ValueError, match=r"seconds|run|score|metrics|curve|failure|replicate|seed|seen"
    ) as refused:
        run = ev.from_json({**RUN, **change}).event
        assert isinstance(run, ev.RunFinished)
        handover._check_run(CONTEXT, {COMMIT: 1}, run, "experiment 1")
    said = str(refused.value)
    assert named in said and said.isprintable() and len(said) < 400


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        '{"a":' * 100_000,
        "9" * 5_000,
        "[1,",
        "null",
        "[]",
        '"x"',
        "\x1b]0;x\x07",
        '{"version": true}',
    ],
)
def test_a_file_that_is_no_handover_is_named_in_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "h.json"
    path.write_text(text)
    ledger = types.SimpleNamespace(refresh=Campaign)
    context: Any = types.SimpleNamespace(**vars(CONTEXT), ledger=ledger)
    calls: tuple[Callable[[], object], ...] = (
        lambda: handover.accept(context, path),
        lambda: handover.take_in(context, text, "artifact handover-1", of=1),
    )
    for call in calls:
        with pytest.raises(UserError) as refused:
            call()
        said = str(refused.value)
        assert "not a handover" in said and said.isprintable() and len(said) < 400


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": True}, "version True"),
        ({"experiment": True}, "no experiment True"),
        ({"experiment": 1.0}, "no experiment 1.0"),
        ({"experiment": MANY}, "no experiment a whole number of many digits"),
        ({"campaign": ESCAPE}, "campaign '\\\\x1b"),
        ({"runs": 5}, "not iterable"),
        ({"runs": [nested(900)]}, "not a handover"),
        ({"runs": [RUN | {"curve": nested(900)}]}, "not a handover"),
        ({"logs": [1]}, "has no attribute"),
    ],
)
def test_what_is_around_the_runs_is_held_to_its_types(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    night = Night()
    night.baseline()
    night.experiment(1, "discarded", "x", finish=False)
    campaign = night.campaign()
    ledger = types.SimpleNamespace(refresh=lambda: campaign)
    context: Any = types.SimpleNamespace(**vars(CONTEXT), ledger=ledger)
    record = {"version": 1, "campaign": "main", "experiment": 1, "runs": [], "logs": {}}
    path = tmp_path / "h.json"
    path.write_text(json.dumps(record))
    assert handover.accept(context, path) == 1
    path.write_text(json.dumps({**record, **change}))
    with pytest.raises(UserError, match=said):
        handover.accept(context, path)


def test_both_rooms_mean_the_same_by_a_measurement() -> None:
    assert bounds.LARGEST == measured.LARGEST
    for value in (0.0, -1.0, 1e30, -1e30, 1.1e30, 1e155, -1e308, float("inf"), float("nan"), 5e-324):
        assert bounds.measurable(value) == measured.measurable(value)


@pytest.mark.parametrize("direction", few(["minimize", "maximize"], 1))
def test_the_largest_measurements_overflow_nothing(direction: ev.Direction) -> None:
    edges = (bounds.LARGEST, -bounds.LARGEST, 0.0, 5e-324, -1e-200, 1e-30, 3.0)
    for first in edges:
        for second in edges:
            night = Night(direction=direction)
            night.run(night.incumbent, None, score=first)
            night.run(night.incumbent, None, score=second)
            for number, score in enumerate((second, first), 1):
                night.level[night.incumbent] = first
                night.experiment(number, "improved" if number == 1 else "inconclusive", "x", score=score)
            of = figures(night.campaign(), now=NOW, prior_sigma=SIGMA)
            assert report_html(of) and report_markdown(of)
            for net_lines in (-1, 1):
                night_ = Judged(lambda level, _, made: (first, second)[made % 2], direction=direction)  # noqa: B023
                night_.try_(1.0, lines=net_lines)


def test_an_old_ledger_with_absurd_figures_is_read_as_no_measurement() -> None:
    record = RUN | {"score": 1e155, "metrics": {"x": 1e300, "y": 2.0}, "gpu_seconds": 1e300, "seconds": -1.0}
    record["curve"] = [[1, 2, 3.0], [2, 3, MANY]]
    run = ev.read(record).event
    assert isinstance(run, ev.RunFinished)
    assert run.score is None and run.failure is not None and run.failure["class"] == "nan"
    assert run.metrics == {"y": 2.0} and run.curve == ((1, 2, 3.0),)
    assert (run.gpu_seconds, run.seconds) == (bounds.LONGEST, 0.0)
    handover._check_run(CONTEXT, {COMMIT: 1}, run, "experiment 1")
    untouched = {**RUN, "at": "", "by": ""}
    assert ev.read(untouched) == ev.from_json(untouched)


def absurd_ledger(direction: ev.Direction, score: float) -> list[dict[str, Any]]:
    """Return the events of a night in which a candidate and its verdict have an absurd score."""
    night = Night(direction=direction)
    night.baseline()
    for number, verdict in enumerate(("improved", "discarded", "inconclusive", "improved"), 1):
        night.experiment(number, verdict, f"experiment {number}")  # type: ignore[arg-type]
    made = [ev.to_json(each.event, at=each.at, by=each.by) for each in night.recorded]
    for record in made:
        if record["kind"] == "run_finished" and record["experiment"] in (2, 4):
            record["score"] = score
        if record["kind"] == "experiment_decided" and record["experiment"] in (2, 4):
            record |= {"effect": score, "half_width": score, "sigma": score, "score": score}
    return made


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("score", [1e31, 1e155, -1e308])
def test_every_view_of_an_old_ledger_is_there(direction: ev.Direction, score: float) -> None:
    read = [ev.read(json.loads(json.dumps(r))) for r in absurd_ledger(direction, score)]
    campaign = fold(read)
    assert campaign.experiments[2].decision is not None and campaign.experiments[2].decision.effect is None
    of = figures(campaign, now=NOW, prior_sigma=SIGMA)
    assert report_html(of) and report_markdown(of)
    assert all(abs(run.score) < 2 for run in campaign.runs.values() if run.score is not None)


@pytest.mark.long
def test_every_command_works_on_a_ledger_with_a_huge_score(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    nocturne(folder, "run", "-n", "1")
    git = Git.open(folder)
    store = LedgerStore(git, choose_remote(git, None, {}).name_or_url, "main")
    campaign = Ledger(store, "test", print).refresh()
    run = next(run for run in campaign.runs.values() if run.experiment is None)

    def records(state: Any) -> list[dict[str, Any]]:
        made = []
        for replicate, (commit, score) in enumerate(((run.commit, 1e155), (commit_of("x"), -1e308)), 90):
            event = dataclasses.replace(
                run, commit=commit, replicate=replicate, run=run_id(commit, replicate), score=score
            )
            made.append(ev.to_json(event, at=campaign.last_at, by="test"))
        return made

    store.append(records)
    for words in (
        ["status"], ["status", "--json"], ["report"], ["show", "1"], ["run", "-n", "1"], ["doctor", "--quick"],
        ["morning", "--dry-run"],
    ):  # fmt: skip
        nocturne(folder, *words)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("experiment", True, "experiment is True, no whole number"),
        ("score", True, "score is True, no number"),
        ("score", "\x1b[2J", "score is '\\\\x1b"),
        ("replicate", 10**300, "replicate is a whole number of many digits"),
        ("seed", 1.5, "seed is 1.5, no whole number"),
        ("commit", 5, "commit is 5, no text"),
        ("gpu_seconds", [], "gpu_seconds is a list"),
    ],
)
def test_a_line_of_the_ledger_that_is_none_is_named(key: str, value: Any, named: str, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    git = Git.open(folder)
    store = LedgerStore(git, choose_remote(git, None, {}).name_or_url, "main")
    started = Night().recorded[0]
    store.append(
        lambda _: [ev.to_json(started.event, at=started.at, by=""), {"key": "run:x", **RUN, key: value}]
    )
    with pytest.raises(UserError, match=named) as refused:
        Ledger(store, "test", print).refresh()
    assert "run:x" in str(refused.value) and str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("stop: {gpu_hours: 1e308}", "stop.gpu_hours"),
        ("stop: {gpu_hours: .inf}", "stop.gpu_hours"),
        ("stop: {goal: .nan}", "stop.goal"),
        (f"stop: {{experiments: {10**300}}}", "stop.experiments"),
        (f"lease_minutes: {10**20}", "lease_minutes"),
    ],
)
def test_settings_have_a_size(setting: str, key: str) -> None:
    with pytest.raises(UserError, match=key):
        parse(f"{CONFIG}{setting}\n")
