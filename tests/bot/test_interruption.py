"""A campaign that is killed goes on as if it had not been, and two loops share one campaign."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.bot.repositories import (
    CONFIG,
    events,
    git,
    kill_group,
    make_repository,
    nocturne,
    outcome,
    start,
    status,
)

PACE = {"TASK_SECONDS": "0.05"}


def pulls(folder: Path, remote: Path | None = None) -> int:
    """Count the experiments whose commits the forge keeps, whatever the ledger says."""
    home = remote or folder / ".git/nocturne/forge.git"
    names = git(home, "for-each-ref", "--format=%(refname)", "refs/nocturne/kept")
    return len(names.splitlines())


def promotions(folder: Path) -> int:
    """Count the promotions that the ledger tells of, at most one, since nobody merges or closes it."""
    opened = sum(1 for event in events(folder) if event["kind"] == "promotion_opened")
    assert opened <= 1
    return opened


def assert_nothing_lost_or_doubled(folder: Path) -> None:
    keys = [event["key"] for event in events(folder)]
    assert len(keys) == len(set(keys))


def kill_until_done(folder: Path, kills: int, seed: int, *, longest: float) -> int:
    """Run the campaign, kill it at random moments, and go on until it ends; return how often it was killed."""
    draw = random.Random(seed)
    killed = 0
    for _ in range(kills):
        loop = start(folder, "run", env=PACE)
        time.sleep(draw.uniform(0.3, longest))
        killed += loop.poll() is None
        kill_group(loop)
        if loop.returncode == 0:
            break
    nocturne(folder, "run", env=PACE, timeout=600)
    return killed


def check_same_campaign(calm: Path, rough: Path, *, kills: int, longest: float, seed: int) -> int:
    """Run one campaign undisturbed and its twin under fire; see that both come to the same end."""
    nocturne(calm, "run", env=PACE, timeout=600)
    killed = kill_until_done(rough, kills, seed, longest=longest)
    assert outcome(rough) == outcome(calm)
    assert_nothing_lost_or_doubled(rough)
    assert pulls(rough) == pulls(calm) == status(calm)["experiments"]["total"]
    assert promotions(rough) == promotions(calm)
    assert git(rough, "rev-parse", "nocturne/main^{tree}") == git(calm, "rev-parse", "nocturne/main^{tree}")
    log = [git(folder, "log", "--format=%s", "main..nocturne/main") for folder in (calm, rough)]
    assert log[0] == log[1]
    return killed


def formula_pair(tmp_path: Path, experiments: int) -> tuple[Path, Path]:
    config = f"{CONFIG}stop: {{experiments: {experiments}}}\n"
    calm, rough = (make_repository(tmp_path / name, config=config) for name in ("calm", "rough"))
    return calm, rough


def training_pair(tmp_path: Path, experiments: int) -> tuple[Path, Path]:
    """Two repositories with the bundled task, its budget counted in steps so that scores repeat exactly."""
    config = f"evaluator: {{budget: {{kind: steps, amount: 6}}, threads: 1}}\nstop: {{experiments: {experiments}}}\n"
    for name in ("calm", "rough"):
        folder = tmp_path / name
        folder.mkdir()
        git(folder, "init", "--quiet", "--initial-branch=main")
        nocturne(folder, "init", "--starter")
        (folder / ".github/nocturne.yml").write_text(config)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", "Start")
    return tmp_path / "calm", tmp_path / "rough"


@pytest.mark.long
def test_killed_campaign_comes_to_the_same_end(tmp_path: Path) -> None:
    calm, rough = formula_pair(tmp_path, experiments=3)
    assert check_same_campaign(calm, rough, kills=4, longest=2.5, seed=1) >= 2


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [11, 12])
def test_kills_at_random_moments(tmp_path: Path, seed: int) -> None:
    """Ten kills in each of two campaigns."""
    calm, rough = formula_pair(tmp_path, experiments=12)
    assert check_same_campaign(calm, rough, kills=10, longest=3.0, seed=seed) >= 8


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kills_with_real_training(tmp_path: Path) -> None:
    calm, rough = training_pair(tmp_path, experiments=3)
    assert check_same_campaign(calm, rough, kills=5, longest=9.0, seed=21) >= 4


@pytest.mark.long
@pytest.mark.timeout(300)
def test_two_loops_on_one_campaign_lose_and_double_nothing(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=f"{CONFIG}stop: {{experiments: 8}}\n")
    loops = [start(folder, "run", env={"TASK_SECONDS": "0.3"}) for _ in range(2)]
    said = [loop.communicate(timeout=240)[0] for loop in loops]
    assert [loop.returncode for loop in loops] == [0, 0], said
    assert_nothing_lost_or_doubled(folder)
    recorded = events(folder)
    finished = [event for event in recorded if event["kind"] == "experiment_finished"]
    assert sorted(event["experiment"] for event in finished) == list(range(1, 9))
    workers = Counter(event["by"] for event in finished)
    assert len(workers) == 2 and min(workers.values()) >= 2
    built = [event["commit"] for event in recorded if event["kind"] == "candidate_built"]
    trees = {git(folder, "rev-parse", f"{commit}^{{tree}}") for commit in built}
    assert len(trees) == len(built) >= 8
    runs = [(event["commit"], event["replicate"]) for event in recorded if event["kind"] == "run_finished"]
    assert len(runs) == len(set(runs))
    landed = [event for event in recorded if event["kind"] == "experiment_landed"]
    chain = git(folder, "rev-list", "--reverse", "main..nocturne/main").split()
    assert chain == [event["commit"] for event in landed]
    assert pulls(folder) == 8
    assert status(folder)["experiments"]["open"] == 0


def script(folder: Path) -> subprocess.Popen[str]:
    """Start a loop with a maker that is asked ahead, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bot.scripted", str(folder)], cwd=Path(__file__).parents[2],
        env=os.environ | {"TASK_SECONDS": "0.5"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


def check_what_was_prepared_ahead(folder: Path, experiments: int) -> None:
    """Each experiment came to one end, and what landed was tested on what it landed on."""
    assert_nothing_lost_or_doubled(folder)
    recorded = events(folder)
    finished = sorted(event["experiment"] for event in recorded if event["kind"] == "experiment_finished")
    assert finished == list(range(1, experiments + 1)) and pulls(folder) == experiments
    assert any(event["ahead"] for event in recorded if event["kind"] == "experiment_claimed")
    ran = {event["commit"] for event in recorded if event["kind"] == "run_finished" and event["experiment"]}
    landed = [event for event in recorded if event["kind"] == "experiment_landed"]
    assert landed and {event["commit"] for event in landed} <= ran
    chain = git(folder, "rev-list", "--reverse", "main..nocturne/main").split()
    assert chain == [event["commit"] for event in landed]
    assert promotions(folder) == 1 and status(folder)["experiments"]["open"] == 0


@pytest.mark.long
@pytest.mark.timeout(600)
def test_kills_with_an_experiment_ahead(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=f"{CONFIG}ahead: 5\nstop: {{experiments: 6}}\n")
    draw = random.Random(31)
    for _ in range(6):
        loop = script(folder)
        time.sleep(draw.uniform(1.5, 5.0))
        kill_group(loop)
    said, _ = script(folder).communicate(timeout=400)
    assert "reason='experiments'" in said, said
    check_what_was_prepared_ahead(folder, 6)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_two_loops_that_prepare_ahead(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=f"{CONFIG}ahead: 5\nstop: {{experiments: 6}}\n")
    said = [loop.communicate(timeout=400)[0] for loop in [script(folder), script(folder)]]
    assert all("reason='experiments'" in each for each in said), said
    check_what_was_prepared_ahead(folder, 6)


# Kills the whole process group of the loop: git starts hooks in the group of the one who pushes.
HOOK = """#!/bin/sh
[ -f "$GIT_DIR/pushes-left" ] || exit 0
left=$(($(cat "$GIT_DIR/pushes-left") - 1))
echo $left > "$GIT_DIR/pushes-left"
[ $left -gt 0 ] || kill -9 0
"""


@pytest.mark.parametrize(
    ("hook", "pushes"),
    [
        pytest.param("post-receive", 4, marks=pytest.mark.slow),
        pytest.param("post-receive", 3, marks=pytest.mark.slow),
        pytest.param("pre-receive", 4, marks=pytest.mark.slow),
    ],
)  # in CI processes die at random moments, above, and pushes fail in `test_records` and `test_github_faults`
@pytest.mark.timeout(900)
def test_death_right_after_or_before_every_push_repeats_nothing(
    tmp_path: Path, hook: str, pushes: int
) -> None:
    """Walk through a campaign from one worst moment to the next: each process dies at its n-th push.

    The first push of a process is its lease of an experiment, and a run of the incumbent that the experiment
    needs takes a lease of its own, so that three pushes are the shortest way forward.
    """
    config = f"{CONFIG}stop: {{experiments: 2}}\n"
    calm = make_repository(tmp_path / "calm", config=config)
    nocturne(calm, "run")
    rough = make_repository(tmp_path / "rough", config=config, remote=tmp_path / "origin.git")
    script = tmp_path / "origin.git" / "hooks" / hook
    script.write_text(HOOK)
    script.chmod(0o755)
    deaths = 0
    for _ in range(150):
        (tmp_path / "origin.git" / "pushes-left").write_text(str(pushes))
        loop = start(rough, "run")
        said, _ = loop.communicate(timeout=60)
        assert "Traceback" not in said
        if loop.returncode == 0:
            break
        assert loop.returncode == -signal.SIGKILL, said
        deaths += 1
    assert loop.returncode == 0
    assert deaths >= 12
    (tmp_path / "origin.git" / "pushes-left").unlink()
    assert outcome(rough) == outcome(calm)
    assert_nothing_lost_or_doubled(rough)
    assert pulls(rough, tmp_path / "origin.git") == 2
    for number in ("1", "2"):
        said = nocturne(rough, "show", number).stdout
        assert said.count("check nocturne/report") == 1


@pytest.mark.long
def test_result_on_disk_is_picked_up_and_one_for_other_settings_is_not(tmp_path: Path) -> None:
    """A run that was paid for is not made again; what is not this run's result is not believed."""
    config = f"{CONFIG}stop: {{experiments: 1}}\n"
    folder = make_repository(tmp_path / "repo", config=config, remote=tmp_path / "origin.git")
    nocturne(folder, "run")
    kept = sorted((folder / ".git/nocturne/main/runs").glob("*/result.json"))
    times = [path.stat().st_mtime_ns for path in kept]
    listed = git(tmp_path / "origin.git", "for-each-ref", "--format=%(refname)")
    for ref in (name for name in listed.splitlines() if "nocturne" in name):
        git(tmp_path / "origin.git", "update-ref", "-d", ref)
    nocturne(folder, "run")
    assert [path.stat().st_mtime_ns for path in kept] == times
    assert len(kept) >= 3
