"""Smoke runs: they say whether a candidate works, and nothing of what it would score."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.evaluator.runs import STEPS, eventually, processes_with, score, start_score, starter, with_train
from tests.evaluator.test_command import SETTINGS, bench
from tests.evaluator.test_training import TINY

LONG = STEPS | {"budget": {"kind": "steps", "amount": 100_000}}


@pytest.mark.long
def test_a_sound_candidate_hands_its_model_in_and_is_not_scored(tmp_path: Path) -> None:
    outcome = score(starter(tmp_path / "repo"), LONG, "--smoke", "60")
    assert outcome.returncode == 0
    assert {event["event"] for event in outcome.events} <= {"started", "progress", "smoke"}
    last = outcome.last
    assert last["reached"] == "handed_in"
    rows, columns = last["shapes"]["tokens"]
    assert last["shapes"]["logits"][:2] == [rows, columns] and last["shapes"]["logits"][2] > 200
    assert 1 <= last["metrics"]["num_steps"] <= 4  # of the hundred thousand it would have had
    assert last["metrics"]["peak_memory_mb"] > 50 and last["metrics"]["num_params_M"] > 0
    assert "score" not in last and "val_bpb" not in json.dumps(last)


@pytest.mark.long
def test_what_fails_is_told_with_its_traceback(tmp_path: Path) -> None:
    wrong = (
        f"{TINY}\nmodel.table = torch.nn.Parameter(torch.zeros(3, 3))\nevaluate_bpb(model, tokenizer, 4)\n"
    )
    outcome = score(with_train(tmp_path / "repo", wrong), LONG, "--smoke", "60")
    assert outcome.returncode == 1
    assert outcome.last["event"] == "failed" and outcome.last["class"] == "error"
    assert "must give logits of shape" in outcome.last["reason"] and "train.py" in outcome.last["traceback"]


@pytest.mark.long
def test_time_that_is_up_is_no_failure(tmp_path: Path) -> None:
    endless = f"{TINY}\nloader = make_dataloader(tokenizer, 4, 128, 'train')\nwhile True: next(loader)\n"
    outcome = score(with_train(tmp_path / "repo", endless), LONG, "--smoke", "4")
    assert outcome.returncode == 0
    # Importing torch alone may take so long on a busy machine.
    assert outcome.last["event"] == "smoke" and outcome.last["reached"] in ("startup", "training")


def test_a_command_is_run_and_its_numbers_are_dropped(tmp_path: Path) -> None:
    text = "import train\nprint('so far so good')\nprint('METRIC accuracy=0.123')\n"
    outcome = score(bench(tmp_path / "repo", text), SETTINGS | {"repeats": 3}, "--smoke", "20")
    assert outcome.returncode == 0 and outcome.last["reached"] == "ended"
    assert set(outcome.last["metrics"]) <= {
        "total_seconds",
        "training_seconds",
        "cpu_seconds",
        "peak_memory_mb",
    }
    assert "0.123" not in json.dumps(outcome.events) and "so far" not in json.dumps(outcome.events)


def test_a_command_that_fails_tells_why_and_not_what_it_printed(tmp_path: Path) -> None:
    text = "import train\nprint('METRIC accuracy=0.123', flush=True)\ntrain.VALUE / 0\n"
    outcome = score(bench(tmp_path / "repo", text), SETTINGS, "--smoke", "20")
    assert outcome.returncode == 1 and "ZeroDivisionError" in outcome.last["traceback"]
    assert "0.123" not in json.dumps(outcome.events)


def test_of_two_sides_only_the_candidates_is_run(tmp_path: Path) -> None:
    repo = bench(tmp_path / "repo", "raise SystemExit('never')\n")
    (repo / "make.py").write_text("import os\nprint('made', sorted(os.listdir()))\n")
    (repo / "answers").mkdir()
    settings = SETTINGS | {"produce": ["python", "make.py"], "data": ["answers"]}
    outcome = score(repo, settings, "--smoke", "20")
    assert outcome.returncode == 0 and outcome.last["reached"] == "ended"
    assert "made" in outcome.last["log_tail"] and "answers" not in outcome.last["log_tail"]


def test_a_command_that_goes_on_is_ended_in_time(tmp_path: Path) -> None:
    repo = bench(tmp_path / "repo", "import time\ntime.sleep(600)\n")
    outcome = score(repo, SETTINGS | {"timeout_seconds": 600}, "--smoke", "1")
    assert outcome.returncode == 0 and outcome.last["reached"] == "running"


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    repo = bench(tmp_path / "repo", "import time\ntime.sleep(600)  # smoke-that-is-interrupted\n")
    settings = SETTINGS | {"command": ["python", "bench.py", "smoke-that-is-interrupted"]}
    process = start_score(repo, settings, "--smoke", "500")
    assert eventually(lambda: bool(processes_with("smoke-that-is-interrupted")))
    time.sleep(0.2)
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert eventually(lambda: not processes_with("smoke-that-is-interrupted"))
