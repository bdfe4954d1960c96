"""The trainer in process says of the formula task what the real evaluator says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.agents.constants import rewrite
from bot.config import Evaluator
from bot.doctor.local_checks import JAIL, tools
from bot.loop.evaluation import RunFolder, RunOrder, Scratch
from bot.loop.outcome import RunOutcome
from bot.loop.settings import evaluator_settings
from tests.bot import trainer
from tests.bot.repositories import SCORE, TRAIN, make_repository
from tests.bot.scripted import Loop
from tests.families import few

pytestmark = pytest.mark.long  # it is held to the evaluator, whichever of them changes

MEASURED = ("total_seconds", "training_seconds", "cpu_seconds", "peak_memory_mb", "seconds", "fraction")


def order(top: Path, scratch: Path) -> RunOrder:
    loop = Loop(top)
    return RunOrder("run-1", Scratch(top, scratch), 5, evaluator_settings(loop.context))


def told(folder: Path, asked: RunOrder, smoke: float | None = None) -> tuple[list[Any], Any, list[str]]:
    """Return all that is said of a run, without what is measured by a clock, and what it leaves."""
    events: list[Mapping[str, Any]] = []
    runs = RunFolder(folder)
    if smoke is None:
        outcome: RunOutcome = runs.evaluate(asked, events.append)
        last: Any = replace(outcome, seconds=0, late=0, metrics=without_measures(outcome.metrics))
        left = sorted(path.name for path in folder.glob("*/*"))
        kept = json.loads((folder / asked.run / "result.json").read_text())
        lasting = [event for event in events if event["event"] != "progress"]  # that comes with time
        return [*map(without_measures, lasting), without_measures(kept)], last, left
    return [], without_measures(runs.smoke(asked, smoke, events.append)), []


def without_measures(event: Mapping[str, Any]) -> dict[str, Any]:
    """Progress is told by the clock, and how much memory was in use then."""
    plain = {
        name: value
        for name, value in event.items()
        if name not in (*MEASURED, "memory_mb", "tokens_per_second")
    }
    if isinstance(plain.get("metrics"), Mapping):
        plain["metrics"] = without_measures(plain["metrics"])
    return plain


CASES: list[tuple[dict[str, str], str]] = [
    ({}, ""),
    ({"LEARNING_RATE": "0.004"}, ""),
    ({"BATCH_SIZE": "1024"}, ""),
    ({}, "print('twice')\n"),
    ({}, "assert c is None, 'no\\nsuch thing'\n"),
    ({}, "raise SystemExit('no data: @octocat')\n"),
]


@pytest.mark.parametrize(
    ("constants", "more", "smoke"),
    [*((*case, None) for case in CASES), *few([(*case, 20.0) for case in CASES], 0, in_ci=2)],
)
def test_it_says_what_the_evaluator_says(
    tmp_path: Path, constants: Mapping[str, str], more: str, smoke: float | None
) -> None:
    files = {"train.py": rewrite(TRAIN, constants), "score.py": SCORE + more}
    top = make_repository(tmp_path / "repo", files=files)
    asked = order(top, tmp_path)
    here = told(tmp_path / "here", asked, smoke)
    trainer.stand_aside(True)
    there = told(tmp_path / "there", asked, smoke)
    assert here == there


@pytest.mark.parametrize(
    "files",
    [
        {"score.py": "\n" + SCORE},
        {"train.py": TRAIN + "import os\n"},
        {"train.py": TRAIN + "print(1)\n"},
        {"train.py": TRAIN + "x = y\n"},
        {"train.py": TRAIN + "x = ("},
    ],
)
def test_another_task_is_left_to_the_evaluator(
    tmp_path: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    top = make_repository(tmp_path / "repo", files={"train.py": TRAIN, **files})
    asked: list[object] = []

    def real(*words: object) -> tuple[dict[str, object], float, float]:
        asked.append(words)
        return {"v": 1, "event": "error"}, 0.0, 0.0

    monkeypatch.setattr(trainer, "_real", real)
    trainer.run_evaluator([], order(make_repository(tmp_path / "plain"), tmp_path), tmp_path, asked.append)
    assert len(asked) > 1 and not any(isinstance(each, tuple) for each in asked)  # this one is scored here
    asked.clear()
    plain = order(make_repository(tmp_path / "other"), tmp_path)
    trainer.run_evaluator([], replace(plain, scratch=Scratch(top, tmp_path)), tmp_path, asked.append)
    assert len(asked) == 1 and isinstance(asked[0], tuple)


def test_what_doctor_asks_of_a_machine_is_asked_once_with_the_same_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tools(Evaluator(), None, {})
    assert (first[0].condition, first[0].colour) == (JAIL, "green")
    assert tools(Evaluator(), None, {}) == first
    trainer.stand_aside(True)
    assert tools(Evaluator(), None, {}) == first
    trainer.stand_aside(False)
    (tmp_path / "bwrap").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "red" in {each.colour for each in tools(Evaluator(jail="bubblewrap"), None, {})}
