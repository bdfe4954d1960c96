"""Runs with a part of the budget: who may be given one, what it is told, and that its score stands on its own scale."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from evaluator import settings
from evaluator.command.locked import fingerprint, reads_share
from evaluator.jail.unjailed import Unjailed
from evaluator.job import Job
from tests.evaluator.pythons import running_task
from tests.evaluator.references import reference_file
from tests.evaluator.runs import STEPS, score, starter, with_train
from tests.families import few

SETTINGS = {"kind": "command", "command": ["python", "bench.py"], "metric": {"name": "speed"}}
READS = """\
import os
share = os.environ.get("NOCTURNE_BUDGET_SHARE")
print("METRIC speed=" + (share or "1"))
"""


def command(folder: Path, text: str, **more: object) -> Job:
    folder.mkdir()
    (folder / "bench.py").write_text(text)
    (folder / "train.py").write_text("# NOCTURNE_BUDGET_SHARE: says what an experiment may edit\n")
    chosen = settings.parse({**SETTINGS, **more}, "settings")
    return Job(folder, chosen, seed=0, began=0.0, jail=Unjailed(), python=running_task(folder))


def test_a_command_takes_part_if_what_is_locked_reads_its_share(tmp_path: Path) -> None:
    assert reads_share(command(tmp_path / "script", READS))
    assert not reads_share(command(tmp_path / "none", "print('METRIC speed=1')\n"))
    words = ["sh", "-c", 'python bench.py --part "$NOCTURNE_BUDGET_SHARE"']
    assert reads_share(command(tmp_path / "words", "print('METRIC speed=1')\n", command=words))


def test_a_score_of_a_part_has_a_fingerprint_of_its_own(tmp_path: Path) -> None:
    job = command(tmp_path / "repo", READS)
    marks = {fingerprint(dataclasses.replace(job, share=share)) for share in (1.0, 0.5, 0.25)}
    assert len(marks) == 3


def test_a_command_is_told_its_share_and_the_score_carries_it(tmp_path: Path) -> None:
    repo = command(tmp_path / "repo", READS).repo
    last = score(repo, SETTINGS, "--budget-share", "0.25").last
    assert (last["score"], last["share"]) == (0.25, 0.25), last
    assert score(repo, SETTINGS).last["share"] == 1


@pytest.mark.parametrize(
    ("more", "said"),
    few(
        [
            (("--budget-share", "0.25"), "nothing that is locked here reads NOCTURNE_BUDGET_SHARE"),
            (
                ("--budget-share", "0.25", "--cuts", ".", "--run", "a"),
                "--cuts: are for runs with the whole budget",
            ),
            (("--budget-share", "0"), "a part of the budget is a number from 0.01 to 1"),
            (("--budget-share", "nan"), "a part of the budget is a number from 0.01 to 1"),
            (("--budget-share", "1.5"), "a part of the budget is a number from 0.01 to 1"),
        ],
        2,
    ),
)
def test_what_can_be_given_no_part_says_so(tmp_path: Path, more: tuple[str, ...], said: str) -> None:
    repo = command(tmp_path / "repo", "print('METRIC speed=1')\n").repo
    outcome = score(repo, SETTINGS, *more)
    assert outcome.returncode == 2 and said in outcome.stderr


@pytest.mark.long
def test_a_training_learns_of_its_part_and_is_charged_by_the_reference_of_the_whole(
    tmp_path: Path, light: dict[str, Any]
) -> None:
    repo = with_train(tmp_path / "repo", "from prepare import TIME_BUDGET\nprint('told', TIME_BUDGET)\n")
    chosen = {**light, "budget": {"kind": "cpu", "amount": 6}}
    reference = reference_file(tmp_path, "cpu", 6.0)
    whole = score(repo, chosen, "--reference", reference)
    part = score(repo, chosen, "--reference", reference, "--budget-share", "0.25")
    assert "told 6" in whole.last["log_tail"] and "told 1.5" in part.last["log_tail"], part.last
    assert part.events[0]["budget"] == {"kind": "cpu", "amount": 1.5} and part.events[0]["share"] == 0.25
    assert not part.events[0]["is_reference"]
    assert part.last["fingerprint"] != whole.last["fingerprint"]
    unmeasured = score(repo, chosen, "--reference", str(tmp_path / "none.json"), "--budget-share", "0.25")
    assert unmeasured.returncode == 2 and "measured with the whole budget first" in unmeasured.stderr


@pytest.mark.long
def test_a_part_is_trained_examined_and_audited(tmp_path: Path) -> None:
    steps = {**STEPS, "budget": {"kind": "steps", "amount": 8}}
    repo = starter(tmp_path / "steps")
    last = score(repo, steps, "--budget-share", "0.25").last
    assert last["event"] == "score" and last["audit"]["probes"] > 0, last
    assert last["metrics"]["num_steps"] == 2


@pytest.mark.slow  # what charges a part by the clock is shown above, without a training
def test_a_part_by_the_clock_is_scored_and_measures_no_reference(tmp_path: Path) -> None:
    repo = starter(tmp_path / "repo")
    last = score(repo, {**STEPS, "budget": {"kind": "cpu", "amount": 2}}, "--budget-share", "0.25").last
    assert last["event"] == "score" and "reference" not in last, last
    assert last["metrics"]["training_seconds"] < 1.0
