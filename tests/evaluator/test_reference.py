"""Time is charged at the measure of a reference, and nobody gets a second by a figure of its own."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from evaluator.errors import UserError
from evaluator.training import reference
from evaluator.training.load import Load, Pool, Reading, stretch
from evaluator.training.reference import Now, Reference
from tests.benchmarks.clock_under_load import company
from tests.evaluator.references import EASY, reference_file
from tests.evaluator.runs import STEPS, score, with_train
from tests.evaluator.test_training import TINY

QUIET = dataclasses.replace(EASY, ready_cpu=2.0, ready_wall=2.0, others=0.0, others_late=0.0, startup=4.0)
HAND_IN = "\nevaluate_bpb(model, tokenizer, 4)\n"
WALL = {**STEPS, "budget": {"kind": "wall", "amount": 2}}
# Accumulates and has slow first steps, as autoresearch has: eleven steps of four batches that it does not count.
SLOW_FIRST = """
import time
batches, counted, step = make_dataloader(tokenizer, 4, 128, "train"), 0.0, 0
while counted < 2:
    began = time.time()
    for _ in range(4):
        next(batches)
        time.sleep(0.02 if step > 10 else 0.1)
    if step > 10:
        counted += time.time() - began
    step += 1
"""


def now(others: float = 0.0, ready: float = 2.0, ready_wall: float = 2.0) -> Now:
    return Now(ready, ready_wall, others)


# What a reference is


@pytest.mark.long
def test_a_run_without_a_reference_is_one_and_is_refused_nothing(tmp_path: Path) -> None:
    repo, file = with_train(tmp_path / "repo", TINY + SLOW_FIRST + HAND_IN), tmp_path / "reference.json"
    first = score(repo, WALL, "--reference", str(file))
    assert first.events[0]["is_reference"] and first.last["event"] == "score", first.last
    made = first.last["reference"]
    assert json.loads(file.read_text()) == made
    assert made["training"] > 2 * made["amount"] and made["first_batches"] > 0
    assert first.last["metrics"]["warmup_seconds"] > made["amount"]
    # The same script with another constant is charged by it, and has its habits.
    other = tmp_path / "other.py"
    other.write_text((repo / "train.py").read_text() + "\n# changed\n")
    second = score(repo, WALL, "--train", str(other), "--reference", str(file))
    assert not second.events[0]["is_reference"] and second.last["event"] == "score", second.last
    assert "reference" not in second.last


@pytest.mark.slow
def test_without_habits_in_the_reference_slow_first_steps_are_over_their_time(tmp_path: Path) -> None:
    """What makes the one above a test. That time beyond the reference's is refused is shown below, in CI."""
    repo = with_train(tmp_path / "repo", TINY + SLOW_FIRST + HAND_IN)
    last = score(repo, WALL, "--reference", reference_file(tmp_path, "wall", 2.0)).last
    assert last["class"] in ("refused", "timeout") and last["defence"] == "clock"


@pytest.mark.long
def test_what_did_not_change_is_the_reference_whatever_was_measured(
    tmp_path: Path, light: dict[str, Any]
) -> None:
    """The reference is refused nothing, and a candidate is held to it: to see which a run is, it need not get far."""
    repo = with_train(tmp_path / "repo", "print()\n")
    for files, is_reference in ((reference.digest_of(repo, ("train.py",)), True), ("of others", False)):
        file = reference_file(tmp_path, "wall", 2.0, files=files)
        started = score(repo, {**light, "budget": WALL["budget"]}, "--reference", file).events[0]
        assert started["is_reference"] is is_reference


@pytest.mark.slow  # `--train` is used above, and what is late is refused below
def test_another_train_file_is_measured_by_the_repositorys_own_which_runs_first(tmp_path: Path) -> None:
    repo = with_train(tmp_path / "repo", TINY + HAND_IN)
    late = tmp_path / "late.py"
    late.write_text(TINY + "import time\ntime.sleep(12)" + HAND_IN)
    file = tmp_path / "kept.json"
    outcome = score(repo, WALL, "--train", str(late), "--reference", str(file))
    said = [event for event in outcome.events if event["event"] == "reference"]
    assert "runs first" in said[0]["said"] and json.loads(file.read_text()) == said[-1]["reference"]
    assert outcome.last["class"] in ("refused", "timeout") and outcome.last["defence"] == "clock"
    assert "budget" in outcome.last["reason"]


@pytest.mark.long
def test_a_repository_whose_own_script_fails_gives_no_reference(tmp_path: Path) -> None:
    repo = with_train(tmp_path / "repo", "raise SystemExit('no luck')\n")
    (tmp_path / "other.py").write_text(TINY + HAND_IN)
    outcome = score(repo, WALL, "--train", str(tmp_path / "other.py"))
    assert outcome.returncode == 2
    assert "no reference" in outcome.last["message"] and "no luck" in outcome.last["message"]


@pytest.mark.long
def test_a_reference_of_another_budget_is_not_taken(tmp_path: Path) -> None:
    file = reference_file(tmp_path, "wall", 5.0)
    outcome = score(with_train(tmp_path / "repo", TINY + HAND_IN), WALL, "--reference", file)
    assert outcome.returncode == 2 and "another" not in outcome.stderr
    assert "was measured for 5 wall seconds" in outcome.last["message"]


@pytest.mark.long
def test_a_budget_of_steps_has_no_reference(tmp_path: Path) -> None:
    outcome = score(with_train(tmp_path / "repo", TINY), STEPS, "--reference", str(tmp_path / "none.json"))
    assert outcome.returncode == 2 and "--reference" in outcome.last["message"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: raw | {"version": 99}, "version 99"),
        (lambda raw: raw | {"exam": "1"}, "exam"),
        (lambda raw: raw | {"exam": float("nan")}, "exam"),
        (lambda raw: raw | {"startup": -1.0}, "startup"),
        (lambda raw: raw | {"training": 1e300}, "training"),
        (lambda raw: raw | {"on_gpu": 1}, "on_gpu"),
        (lambda raw: {name: raw[name] for name in raw if name != "step"}, "step"),
        (lambda raw: [], "not a mapping"),
    ],
)
def test_a_file_that_is_no_reference_is_told_so(tmp_path: Path, change: Any, said: str) -> None:
    path = tmp_path / "reference.json"
    reference.write(path, EASY)
    assert reference.read(path) == EASY
    path.write_text(json.dumps(change(EASY.to_json())))
    with pytest.raises(UserError, match=said):
        reference.read(path)


# How much slower the machine is, by what a candidate has no hand in


def test_the_same_machine_grants_what_the_reference_took() -> None:
    assert reference.longer_on_the_wall(QUIET, now()) == 1.0
    assert reference.longer_of_the_processor(QUIET, now()) == 1.0
    assert reference.longer_on_the_wall(QUIET, now(ready=1.0)) == 1.0  # a faster one takes nothing away
    assert QUIET.startup < reference.free_startup(QUIET, now()) < 1.3 * QUIET.startup


def test_company_stretches_the_wall_as_far_as_it_takes_processors_away() -> None:
    alone = dataclasses.replace(QUIET, demand=0.5)  # one of two processors
    assert reference.longer_on_the_wall(alone, now(others=0.05)) == 1.0
    four_busy = 4 / 5  # what four others get of two processors beside one of ours
    assert 2.5 <= reference.longer_on_the_wall(alone, now(others=four_busy)) < 4
    assert reference.longer_of_the_processor(alone, now(others=four_busy)) > 1.3
    # A reference that was itself measured in company is stretched no further by the same company.
    measured_so = dataclasses.replace(alone, demand=0.2, others=four_busy)
    assert reference.longer_on_the_wall(measured_so, now(others=four_busy)) <= 1.5
    assert reference.longer_on_the_wall(measured_so, now(others=0.9)) > 2


def test_a_delay_proves_nothing_where_others_leave_too_little() -> None:
    two = dataclasses.replace(QUIET, demand=1.0)  # it keeps the whole machine busy
    assert not reference.too_crowded(two, now(others=0.05))
    assert reference.too_crowded(two, now(others=0.2))
    in_company = dataclasses.replace(QUIET, demand=0.0)  # what it needs alone is not known
    assert reference.too_crowded(in_company, now(others=1.0))
    assert not reference.too_crowded(in_company, now(others=0.05))


@pytest.mark.long
def test_what_is_late_on_a_crowded_machine_is_the_machines_failure(tmp_path: Path) -> None:
    repo = with_train(tmp_path / "repo", TINY)
    late = "\nimport time\nbatches, end = make_dataloader(tokenizer, 4, 128, 'train'), time.time() + {}\n"
    late += "while time.time() < end:\n    next(batches)\n    time.sleep(0.05)\n" + HAND_IN
    reference_of = reference_file(tmp_path, "wall", 2, demand=1.0, others=0.0)
    ends = {}
    for name, seconds in (("by a little", 3.8), ("by far", 20.0)):
        (repo / "train.py").write_text(TINY + late.format(seconds))
        with company(4):
            ends[name] = score(repo, WALL, "--reference", reference_of).last
    little = ends["by a little"]
    assert little["class"] == "infrastructure" and "too busy" in little["reason"], little
    assert ends["by far"]["class"] in ("refused", "timeout"), ends["by far"]


def test_what_slows_everything_has_an_end() -> None:
    most = reference.longer_on_the_wall(QUIET, now(others=1.0, ready=1e6, ready_wall=1e6))
    assert most <= 10 and reference.longer_of_the_processor(QUIET, now(others=1.0, ready=1e6)) <= 3
    assert stretch(1.0, 1.0) <= 8


def test_a_candidate_that_is_busy_itself_makes_others_seem_idle() -> None:
    """Sixteen threads of ours beside four of others on two processors: what others get is what counts."""
    load = Load(lambda: 0.0)

    def moment(wall: float, ours: float, theirs: float) -> Reading:
        return Reading(wall, ours, (Pool(2, ours + theirs),))

    alone = load.others(moment(0, 0, 0), moment(10, 4, 16))
    greedy = load.others(moment(0, 0, 0), moment(10, 16, 4))
    assert alone == pytest.approx(0.8) and greedy == pytest.approx(0.2)
    assert load.others(moment(0, 0, 0), moment(10, 20, 0)) == 0.0
    assert load.others(moment(0, 0, 0), moment(10, 21, 0)) == 0.0  # the counters are read one after the other
    # A container's share is used up by what runs in it, whatever the machine around it does.
    early = Reading(0, 0, (Pool(64, 0), Pool(2, 0)))
    late = Reading(10, 4, (Pool(64, 100), Pool(2, 20)))
    assert load.others(early, late) == pytest.approx(0.8)


def test_the_digest_is_of_what_may_be_edited(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("x = 1\n")
    (tmp_path / "model.py").write_text("y = 1\n")
    files = ("train.py", "model.py")
    first = reference.digest_of(tmp_path, files)
    (tmp_path / "notes.md").write_text("nothing\n")
    assert reference.digest_of(tmp_path, files) == first
    (tmp_path / "model.py").write_text("y = 2\n")
    assert reference.digest_of(tmp_path, files) != first
    (tmp_path / "model.py").unlink()
    assert reference.digest_of(tmp_path, files) != first


def test_all_figures_are_the_references_own() -> None:
    """No allowance is a function of anything that a candidate says: `Now` holds the machine's figures alone."""
    assert {field.name for field in dataclasses.fields(Now)} == {"ready_cpu", "ready_wall", "others"}
    assert isinstance(QUIET, Reference) and QUIET.uncounted == 0
