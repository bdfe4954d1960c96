"""The bot keeps what the reference takes: which commit that is, what of it holds, and who is charged by it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.rules import events as ev
from bot.rules import reference
from bot.rules.lost_runs import lost_for_good
from bot.rules.schedule import Begin, MeasureIncumbent, next_step, seed_of, title_of
from bot.rules.stopping import Limits, Stop, why_stop
from tests.bot.campaigns import NOW, Night, commit_of
from tests.bot.repositories import CONFIG, events, make_repository, nocturne
from tests.bot.test_schedule import STANDING

HERE = "1x H100"
COUNTING = replace(STANDING, settings="s1")
TOOK: dict[str, Any] = {
    "kind": "wall", "training": 310.0, "startup": 20.0, "step": 0.5, "exam": 9.0, "ready_cpu": 2.0, "others": 0.1,
    "settings": "s1",
}  # fmt: skip


def measured(night: Night, commit: str, *, runner: str = HERE, **more: Any) -> None:
    """Record a run of a commit that was measured as the reference."""
    night.run(commit, None, runner=runner)
    last = night.recorded[-1]
    assert isinstance(last.event, ev.RunFinished)
    night.recorded[-1] = replace(last, event=replace(last.event, reference={**TOOK, **more}))


def lost(night: Night, commit: str, experiment: int | None = None) -> None:
    """Record a run of a commit that the machine lost."""
    night.run(commit, experiment, fails=True)
    last = night.recorded[-1]
    assert isinstance(last.event, ev.RunFinished)
    failure = {"class": "infrastructure", "reason": "uncorrectable ECC error"}
    night.recorded[-1] = replace(last, event=replace(last.event, failure=failure))


# Which commit it is


def test_the_reference_is_the_last_commit_that_a_human_wrote() -> None:
    night = Night()
    base = night.incumbent
    early = commit_of("a human's, before anything landed")
    assert night.campaign().reference == base
    night.add(ev.IncumbentMoved(early, base, 1, "base"))
    assert night.campaign().reference == early
    night.level[early] = night.level[base]
    night.incumbent = early
    night.experiment(1, "improved", "better")
    assert night.campaign().reference == early  # no merge raises an allowance
    merge = commit_of("the base branch, taken in")
    night.add(ev.IncumbentMoved(merge, night.incumbent, 2, "base"))
    assert night.campaign().reference == early  # it holds what an experiment made
    tip = commit_of("what a human wrote on the base branch")
    night.add(ev.IncumbentMoved(commit_of("taken in again"), merge, 3, "base", reference=tip))
    assert night.campaign().reference == tip
    humans = commit_of("a human's, on the campaign's branch")
    night.add(ev.IncumbentMoved(humans, merge, 4))
    assert night.campaign().reference == humans
    built = next(e.candidate for e in night.campaign().experiments.values() if e.candidate)
    night.add(ev.IncumbentMoved(built.commit, humans, 5))  # a human put an experiment's commit there
    assert night.campaign().reference == humans


# What is measured when


def test_the_incumbents_runs_measure_the_reference_where_it_is_that() -> None:
    night = Night()
    assert next_step(night.campaign(), COUNTING) == next_step(night.campaign(), STANDING)
    measured(night, night.incumbent)
    night.run(night.incumbent, None)
    assert next_step(night.campaign(), COUNTING) == Begin(1)


def test_a_ledger_without_measures_gets_them_by_one_more_run() -> None:
    night = Night()
    night.baseline()
    assert next_step(night.campaign(), STANDING) == Begin(1)
    step = next_step(night.campaign(), COUNTING)
    assert step == MeasureIncumbent(night.incumbent, 3, "time is charged at its measure")
    measured(night, night.incumbent)
    assert next_step(night.campaign(), COUNTING) == Begin(1)


def test_another_runner_and_other_settings_have_it_measured_again() -> None:
    night = Night()
    base = night.incumbent
    measured(night, base)
    night.run(base, None)
    night.experiment(1, "improved", "better")
    night.run(night.incumbent, None)
    campaign = night.campaign()
    assert next_step(campaign, COUNTING) == Begin(2)
    other = next_step(campaign, replace(COUNTING, settings="s2"))
    assert isinstance(other, MeasureIncumbent) and other.commit == base
    assert title_of(other, campaign).startswith("reference")
    elsewhere = next_step(campaign, replace(COUNTING, runner="1x H200"))
    assert isinstance(elsewhere, MeasureIncumbent) and elsewhere.commit == base
    measured(night, base, runner="1x H200")
    then = next_step(night.campaign(), replace(COUNTING, runner="1x H200"))
    assert isinstance(then, MeasureIncumbent) and then.commit == night.incumbent
    assert reference.measures(night.campaign(), HERE, "s2") is None


def test_a_reference_that_fails_asks_for_a_human() -> None:
    night = Night()
    base = night.incumbent
    night.baseline()
    night.experiment(1, "improved", "better")
    for _ in range(2):
        assert isinstance(next_step(night.campaign(), COUNTING), MeasureIncumbent)
        night.run(base, None, fails=True)
    step = next_step(night.campaign(), COUNTING)
    assert isinstance(step, Stop) and step.reason == "baseline" and "time is charged" in step.detail
    night.add(ev.CommandGiven(1, "resume"))
    assert isinstance(next_step(night.campaign(), COUNTING), MeasureIncumbent)


def test_of_several_measures_the_quiet_ones_and_of_those_the_longest_count() -> None:
    night = Night()
    measured(night, night.incumbent, startup=21.0, training=320.0)
    measured(night, night.incumbent, startup=25.0, exam=8.0, ready_cpu=1.9)
    measured(night, night.incumbent, startup=90.0, training=900.0, others=0.8)
    found = reference.measures(night.campaign(), HERE, "s1")
    assert found is not None and reference.SETTINGS not in found
    assert (found["training"], found["startup"], found["exam"], found["ready_cpu"]) == (320.0, 25.0, 9.0, 1.9)


# What the machine lost


def test_lost_runs_say_nothing_until_they_repeat() -> None:
    night = Night()
    for _ in range(3):
        assert isinstance(next_step(night.campaign(), STANDING), MeasureIncumbent)
        lost(night, night.incumbent)
    step = next_step(night.campaign(), STANDING)
    assert isinstance(step, Stop) and step.reason == "machine"
    assert "machine lost 3 runs" in step.detail and "ECC" in step.detail
    night.add(ev.CommandGiven(1, "resume"))
    assert isinstance(next_step(night.campaign(), STANDING), MeasureIncumbent)
    assert lost_for_good(night.campaign(), night.incumbent) == []


def test_a_good_run_between_ends_the_row() -> None:
    night = Night()
    for _ in range(2):
        lost(night, night.incumbent)
        lost(night, night.incumbent)
        night.run(night.incumbent, None)
    assert lost_for_good(night.campaign(), night.incumbent) == []
    assert next_step(night.campaign(), STANDING) == Begin(1)


def test_an_experiment_that_the_machine_lost_is_no_crash_and_has_the_machine_tried() -> None:
    night = Night()
    night.baseline()
    for number in range(1, 4):
        night.experiment(number, "lost", "idea")
    limits = Limits(crashes_in_row=1, plateau=1)
    assert why_stop(night.campaign(), limits, now=NOW) is None
    lost(night, commit_of("a candidate"), 3)
    step = next_step(night.campaign(), STANDING)
    assert isinstance(step, MeasureIncumbent) and "still work" in step.why
    night.run(night.incumbent, None)
    assert next_step(night.campaign(), STANDING) == Begin(4)


BROKEN = """\
import os, runpy, sys
c = runpy.run_path("train.py")
changed = c["settings"] != (0.001, 64, 0.1, 0.2, 0.1, "gelu")
if {when}:
    sys.exit("RuntimeError: CUDA error: uncorrectable ECC error encountered")
print("METRIC loss=%f" % (1.0 + 0.1 * changed))
"""


@pytest.mark.long
def test_a_run_lost_to_the_machine_is_made_again(tmp_path: Path) -> None:
    lost = tuple(seed_of(0, "experiment 1", replicate) for replicate in (1, 2))
    script = BROKEN.format(when=f'changed and int(os.environ["NOCTURNE_SEED"]) in {lost}')
    repo = make_repository(tmp_path / "repo", config=CONFIG, files={"score.py": script})
    nocturne(repo, "run", "-n", "1")
    runs = [e for e in events(repo) if e["kind"] == "run_finished" and e["experiment"] == 1]
    assert [(e["failure"] or {}).get("class") for e in runs] == ["infrastructure", "infrastructure", None]
    decided = [e for e in events(repo) if e["kind"] == "experiment_decided"]
    assert [e["verdict"] for e in decided] == ["discarded"]


@pytest.mark.long
def test_a_candidate_whose_runs_are_all_lost_is_told_as_lost(tmp_path: Path) -> None:
    repo = make_repository(
        tmp_path / "repo", config=CONFIG, files={"score.py": BROKEN.format(when="changed")}
    )
    nocturne(repo, "run", "-n", "1")
    decided = [e for e in events(repo) if e["kind"] == "experiment_decided"]
    assert [e["verdict"] for e in decided] == ["lost"] and "machine lost 3 runs" in decided[0]["reason"]


@pytest.mark.long
def test_a_machine_that_loses_the_incumbents_runs_asks_for_a_human(tmp_path: Path) -> None:
    repo = make_repository(tmp_path / "repo", config=CONFIG, files={"score.py": BROKEN.format(when="True")})
    nocturne(repo, "run", "-n", "1")
    stopped = [e for e in events(repo) if e["kind"] == "loop_stopped"]
    assert stopped[-1]["reason"] == "machine" and "nothing is said" in stopped[-1]["detail"]
    assert len([e for e in events(repo) if e["kind"] == "run_finished"]) == 3


TIMED = """\
evaluator: {budget: {kind: cpu, amount: 1}, threads: 1, eval_tokens: 2048}
runner: test
"""


@pytest.mark.slow  # in CI the campaign of `test_demo` does
def test_a_campaign_measures_its_reference_and_charges_candidates_by_it(tmp_path: Path) -> None:
    from tests.evaluator.runs import starter

    made = starter(tmp_path / "starter")
    files = {name: (made / name).read_text() for name in ("train.py", "prepare.py")}
    repo = make_repository(tmp_path / "repo", config=TIMED, files=files)
    nocturne(repo, "run", "-n", "1", timeout=900)
    runs = [e for e in events(repo) if e["kind"] == "run_finished"]
    baseline, mine = [[e for e in runs if (e["experiment"] == 1) is own] for own in (False, True)]
    assert mine and all(e["reference"] is None for e in mine)
    assert all(e["reference"]["amount"] == 1 and e["reference"]["settings"] for e in baseline)
    kept = repo / ".git" / "nocturne" / "main" / "runs"
    charged = json.loads((kept / mine[0]["run"] / "reference.json").read_text())
    assert charged["amount"] == 1 and "settings" not in charged
    assert not (kept / baseline[0]["run"] / "reference.json").exists()
