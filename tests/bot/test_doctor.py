"""`nocturne doctor` on real repositories: each check where it is green, and where it is not."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from bot.agents.proposers.offline import OfflineProposer
from bot.config import Evaluator, parse
from bot.doctor.incumbent import draws
from bot.doctor.local_checks import gpu, logs
from bot.doctor.loop_conditions import affordable, repeats, verified
from bot.loop.context import open_context
from bot.loop.plan import ASSUMED_RUNS, Plan, night, plan_of
from bot.loop.settings import limits
from bot.loop.start import ensure_started
from bot.rules.campaign import Campaign
from bot.rules.stopping import why_stop
from bot.tell.display import PlainDisplay
from evaluator.jail.landlock import find_landlock
from tests.bot.campaigns import night_of
from tests.bot.repositories import CONFIG, command_line, events, git, make_repository, nocturne

PLANNED = CONFIG + "stop: {experiments: 40, gpu_hours: 1}\n"
REPEATS, VERIFIED = "the task repeats", "verification is automatic"
HOURS, MONEY = (f"the budget absorbs the waste: {what}" for what in ("machine time", "money"))
JAIL, LOGS, GPU, PYTHON = (f"real tools: {what}" for what in ("jail", "logs", "GPU", "Python"))
TRUSTED = "the score is measured apart"
FILES, SEARCH = "the campaign's files", "what the search may turn"
PACKAGES, AGENTS = "packages of the task", "who proposes and reviews"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=timezone.utc)
STEADY = Plan(40, "stop.experiments", 2.5, True, 360.0, 0.0)  # 15 minutes an experiment, 10 hours in all


def doctor(
    folder: Path, *words: str, env: dict[str, str] | None = None, code: int = 0
) -> dict[str, dict[str, str]]:
    """Return the findings by their condition."""
    said = json.loads(nocturne(folder, "doctor", "--json", *words, env=env, code=code).stdout)
    assert said["healthy"] is (code == 0)
    found = {finding["condition"]: finding for finding in said["findings"]}
    assert len(found) == len(said["findings"])
    for finding in found.values():
        assert finding["measured"] and (finding["colour"] != "amber" or finding["mend"]), finding
    return found


def colours(found: dict[str, dict[str, str]]) -> dict[str, str]:
    return {condition: finding["colour"] for condition, finding in found.items()}


def results(top: Path) -> dict[str, int]:
    """Return when each run's result in this clone was written."""
    folder = top / ".git/nocturne/main/runs"
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/result.json")}


# The whole examination


def test_a_healthy_repository_is_green_and_its_runs_are_not_lost(tmp_path: Path) -> None:
    """Two runs are made, kept out of the ledger, and taken up by the second examination and by the loop."""
    top = make_repository(tmp_path / "repo", config=PLANNED)
    found = doctor(top)
    # What measures imports what is edited here, and that is all there is to say against it.
    assert {name for name, colour in colours(found).items() if colour != "green"} == {TRUSTED}
    machine, campaign = {PYTHON, JAIL, LOGS, GPU}, {FILES, PACKAGES, SEARCH, TRUSTED, AGENTS}
    assert set(found) == {REPEATS, VERIFIED, HOURS, MONEY} | machine | campaign
    assert (
        re.search(r"with seeds \d+ and \d+", found[VERIFIED]["measured"])
        and "2 runs made now" in found[VERIFIED]["measured"]
    )
    assert "40 experiments to come" in found[REPEATS]["measured"]
    assert git(top, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    made = results(top)
    assert len(made) == 2
    assert "runs made before" in doctor(top)[VERIFIED]["measured"]
    nocturne(top, "run", "-n", "1")
    assert made.items() <= results(top).items()
    first = [
        event for event in events(top, "refs/remotes/nocturne/ledger") if event["kind"] == "run_finished"
    ]
    assert {event["run"] for event in first} >= set(made)


def test_quick_trains_nothing_and_says_so(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo", config=PLANNED)
    found = doctor(top, "--quick")
    assert {name for name, colour in colours(found).items() if colour == "amber"} == {
        REPEATS,
        VERIFIED,
        HOURS,
        TRUSTED,
    }
    assert found[VERIFIED]["measured"].startswith("not measured")
    assert results(top) == {}


@pytest.mark.long
def test_runs_on_the_ledger_are_taken_for_measured(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo", config=PLANNED, remote=tmp_path / "origin.git")
    nocturne(top, "run", "-n", "2")
    before = events(tmp_path / "origin.git")
    found = doctor(top)
    assert colours(found)[VERIFIED] == "green" and "runs made before" in found[VERIFIED]["measured"]
    assert "38 experiments to come" in found[REPEATS]["measured"]
    assert events(tmp_path / "origin.git") == before


def test_in_a_campaign_that_has_begun_new_runs_go_to_the_ledger(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo", config=PLANNED, remote=tmp_path / "origin.git")
    ensure_started(open_context(top, None, PlainDisplay(io.StringIO()), {}, OfflineProposer()))
    assert colours(doctor(top))[VERIFIED] == "green"
    runs = [event for event in events(tmp_path / "origin.git") if event["kind"] == "run_finished"]
    assert [(run["replicate"], run["experiment"]) for run in runs] == [(1, None), (2, None)]


@pytest.mark.parametrize(
    ("files", "config", "said"),
    [
        ({}, "stop: {experimints: 3}\n", ".github/nocturne.yml: stop.experimints: unknown key"),
        ({}, "evaluator: [\n", ".github/nocturne.yml: line 2: not valid YAML"),
        ({}, "stop: {deadline: 2026-13-45}\n", "month must be in 1..12"),
        ({}, "stop: {deadline: '2026-13-45'}\n", "month must be in 1..12"),
        ({}, "remote: nowhere\n", "remote: nowhere: no such remote"),
        ({}, "base: develop\n", "base: there is no branch 'develop'"),
    ],
)
def test_a_broken_setup_is_one_red_line(
    tmp_path: Path, files: dict[str, str], config: str, said: str
) -> None:
    top = make_repository(tmp_path / "repo", config=config, files=files)
    found = doctor(top, "--quick", code=1)
    assert said in found["repository and configuration"]["measured"]
    assert colours(found)[JAIL] == "green"  # what can be looked at is looked at


def test_where_there_is_nothing_at_all(tmp_path: Path) -> None:
    assert "not a git repository" in doctor(tmp_path, code=1)["repository and configuration"]["measured"]
    assert (
        doctor(tmp_path / "..", "--repo", "/no/such", code=1)["repository and configuration"]["colour"]
        == "red"
    )
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    assert "no commit yet" in doctor(tmp_path, code=1)["repository and configuration"]["measured"]


def test_a_remote_that_is_gone_is_red_and_nothing_is_trained(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo", config=PLANNED, remote=tmp_path / "origin.git")
    shutil.rmtree(tmp_path / "origin.git")
    found = doctor(top, code=1)
    assert colours(found)["ledger"] == "red" and VERIFIED not in found and results(top) == {}


def test_lines_for_people(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo", config=CONFIG + "stop: {experiments: 3}\n")
    lines = nocturne(top, "doctor", "--quick").stdout.splitlines()
    assert len(lines) == 13 and {line.split()[0] for line in lines} == {"green", "amber"}
    (repeats,) = (line for line in lines if line.startswith(f"amber  {REPEATS}"))
    assert "3 experiments to come" in repeats and " -> raise stop.experiments" in repeats


@pytest.mark.long
def test_marks_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", 0) as screen:
        command = command_line("doctor", "--quick", "--repo", str(tmp_path))
        done = subprocess.run(command, stdout=theirs, stderr=subprocess.DEVNULL, timeout=60, check=False)
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # a terminal that nobody writes to any more
            while block := screen.read(4096):
                said += block
    lines = re.sub(r"\x1b\[[\d;]*m", "", said.decode()).splitlines()
    assert done.returncode == 1 and "Traceback" not in said.decode()
    assert [line[0] for line in lines] == ["✗", "✓", "✓", "!"]


# The task repeats


def config_of(text: str) -> Any:
    return parse(text)[1]


def test_enough_experiments_are_green() -> None:
    assert repeats(STEADY, None, config_of("")).colour == "green"


@pytest.mark.parametrize(
    ("plan", "text", "said"),
    [
        (replace(STEADY, experiments=None, bound=""), "", "but for a plateau of 50"),
        (replace(STEADY, experiments=9), "", "0.5 to 2.0 of them improve anything"),
        (replace(STEADY, seconds_per_run=None), "", "what a run takes is not measured"),
        (replace(STEADY, experiments=None, bound="stop.deadline", seconds_per_run=None),
         "stop: {deadline: 2026-12-01}", "until 2026-12-01"),
    ],
)  # fmt: skip
def test_few_or_uncounted_experiments_are_amber(plan: Plan, text: str, said: str) -> None:
    found = repeats(plan, None, config_of(text))
    assert found.colour == "amber" and said in found.measured


def test_a_loop_that_would_not_begin_is_red() -> None:
    config = config_of("stop: {deadline: 2026-11-22}")
    found = repeats(STEADY, why_stop(Campaign(), limits(config), now=NOW), config)
    assert found.colour == "red" and "deadline 2026-11-22 00:00 has passed" in found.measured


def test_the_plan_counts_what_is_left_of_number_and_time() -> None:
    campaign = night_of(8).campaign()
    config = config_of("stop: {experiments: 40}")
    plan = plan_of(campaign, config, limits(config), now=NOW, run_seconds=None)
    assert (plan.experiments, plan.bound, plan.runs_known) == (
        40 - len(campaign.order),
        "stop.experiments",
        True,
    )
    assert plan.runs_each == len(campaign.runs) / len(campaign.order)
    assert plan.seconds_each == pytest.approx(campaign.gpu_seconds() / len(campaign.order))
    soon = replace(
        limits(config), deadline=(NOW + timedelta(seconds=3.5 * (plan.seconds_each or 0))).isoformat()
    )
    plan = plan_of(campaign, config, soon, now=NOW, run_seconds=None)
    assert (plan.experiments, plan.bound) == (3, "stop.deadline")
    fresh = plan_of(Campaign(), config, limits(config), now=NOW, run_seconds=60.0)
    assert fresh.seconds_each == 60 * ASSUMED_RUNS and not fresh.runs_known


def test_what_a_night_holds() -> None:
    said = "a night of 10 hours holds about 100 trainings, that is 40 experiments"
    assert night(STEADY) == said
    assert night(replace(STEADY, usd_each=0.25)) == f"{said}, for 10.00 USD"
    assert night(replace(STEADY, seconds_per_run=None)) == "what a night holds is not known"
    assert said in repeats(STEADY, None, config_of("")).measured


# Verification is automatic


@pytest.mark.long
def test_a_run_that_takes_too_long_is_given_up_and_one_that_is_known_to_is_not_begun(tmp_path: Path) -> None:
    top = make_repository(
        tmp_path / "repo", config=PLANNED, files={"score.py": "import time\ntime.sleep(60)\n"}
    )
    context = open_context(top, None, PlainDisplay(io.StringIO()), {}, OfflineProposer())
    made = draws(context, context.ledger.refresh(), patience=1.0)
    assert (made.runs, made.too_long) == ((), 1.0) and results(top) == {}
    found = verified(made, Campaign(), context.config)
    assert found.colour == "amber" and "takes more than 1.0 s" in found.measured and "--run" in found.mend
    config = "evaluator: {budget: {kind: cpu, amount: 300}}\n"
    files = {"prepare.py": "TIME_BUDGET = 5\n", "train.py": "LR = 1\nlr = LR\n"}
    trained = make_repository(tmp_path / "trained", config=config, files=files)
    context = open_context(trained, None, PlainDisplay(io.StringIO()), {}, OfflineProposer())
    assert draws(context, context.ledger.refresh(), patience=120.0).too_long == 300
    assert not (trained / ".git/nocturne/main/runs").exists()


def test_quick_and_run_contradict_each_other(tmp_path: Path) -> None:
    said = nocturne(tmp_path, "doctor", "--quick", "--run", code=2).stderr
    assert "leave one out" in said


@pytest.mark.long
@pytest.mark.parametrize(
    ("score", "colour", "said"),
    [
        pytest.param(
            "1.0 + 0.01 * (seed % 2)",
            "amber",
            "0.01 apart",
            marks=pytest.mark.long,
        ),
        ("1.0 + 0.2 * (seed % 2)", "red", "0.2 apart"),
        pytest.param("1.0 / (seed % 2)", "red", "the incumbent itself fails", marks=pytest.mark.slow),
    ],
)
def test_runs_that_do_not_agree(tmp_path: Path, score: str, colour: str, said: str) -> None:
    script = f"import os\nseed = int(os.environ['NOCTURNE_SEED'])\nprint('METRIC loss=%f' % ({score}))\n"
    top = make_repository(tmp_path / "repo", config=PLANNED, files={"score.py": script})
    found = doctor(top, code=0 if colour == "amber" else 1)[VERIFIED]
    assert (found["colour"], said in found["measured"]) == (colour, True), found
    assert len(results(top)) < 2 if "fails" in said else len(results(top)) == 2  # a failure is tried again


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo", config=PLANNED + "editable: [model.py]\n")
    found = doctor(top, code=1)[FILES]
    assert found["colour"] == "red" and "model.py is missing" in found["measured"]


# The budget


@pytest.mark.parametrize(
    ("stop", "plan", "colour", "said"),
    [
        ("{gpu_hours: 11}", STEADY, "green", "15 min an experiment, 10.0 h for the 40 experiments planned; 11.0 h of"),
        ("{gpu_hours: 8}", STEADY, "amber", "enough for about 32"),
        ("{gpu_hours: 0.2}", STEADY, "red", "not one more"),
        ("{}", STEADY, "amber", "stop.gpu_hours is null"),
        ("{gpu_hours: 8}", replace(STEADY, seconds_per_run=None), "amber", "is not measured"),
        ("{gpu_hours: 8}", replace(STEADY, experiments=None), "green", "15 min an experiment; 8.0 h of 8.0 h left"),
    ],
)  # fmt: skip
def test_machine_time_against_its_cap(stop: str, plan: Plan, colour: str, said: str) -> None:
    found = affordable(plan, Campaign(), config_of(f"stop: {stop}"))[0]
    assert (found.condition, found.colour, said in found.measured) == (HOURS, colour, True), found


@pytest.mark.parametrize(
    ("stop", "usd", "colour", "said"),
    [
        ("{}", 0.0, "green", "0 USD an experiment"),
        ("{cost_usd: 20}", 0.25, "green", "0.25 USD an experiment, 10.00 USD for the 40 experiments planned"),
        ("{cost_usd: 5}", 0.25, "amber", "enough for about 20"),
        ("{cost_usd: 0.1}", 0.25, "red", "not one more"),
        ("{}", 0.25, "amber", "stop.cost_usd is null"),
        ("{cost_usd: 5}", None, "amber", "is not measured"),
    ],
)
def test_money_against_its_cap(stop: str, usd: float | None, colour: str, said: str) -> None:
    found = affordable(replace(STEADY, usd_each=usd), Campaign(), config_of(f"stop: {stop}"))[1]
    assert (found.condition, found.colour, said in found.measured) == (MONEY, colour, True), found


# Real tools


@pytest.mark.long
def test_the_tasks_python_is_told_with_how_it_was_found(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo", config=PLANNED)
    found = doctor(top, "--quick")[PYTHON]
    assert found["colour"] == "green" and sys.executable in found["measured"]
    assert "the Python that runs Nocturne" in found["measured"] and "with torch " in found["measured"]
    (top / "uv.lock").write_text("")
    found = doctor(top, "--quick")[PYTHON]
    assert found["colour"] == "amber" and "run `uv sync` there" in found["measured"]
    assert "evaluator: {python: PATH}" in found["mend"]


def test_a_python_that_will_not_do_is_red(tmp_path: Path) -> None:
    config = PLANNED.replace("kind: command", "kind: command\n  python: no/such")
    found = doctor(make_repository(tmp_path / "repo", config=config), "--quick", code=1)
    assert (
        found[PYTHON]["colour"] == "red"
        and "repo/no/such (as configured) does not exist" in (found[PYTHON]["measured"])
    )
    assert found[JAIL]["colour"] == "green"


def path_with(folder: Path, **programs: str) -> dict[str, str]:
    """Return an environment in which git, and these scripts, are all there is to be found."""
    folder.mkdir()
    (folder / "git").symlink_to(str(shutil.which("git")))
    (folder / "python3").symlink_to(sys.executable)
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}"}


def test_no_jail_is_red_with_the_way_to_one(tmp_path: Path) -> None:
    config = PLANNED.replace("evaluator:\n", "evaluator:\n  jail: bubblewrap\n")
    top = make_repository(tmp_path / "repo", config=config)
    broken = path_with(tmp_path / "bin", bwrap="echo 'setting up uid map: Permission denied' >&2; exit 1")
    found = doctor(top, env=broken, code=1)
    assert colours(found)[JAIL] == "red"
    assert "uid map: Permission denied" in found[JAIL]["measured"] and "jail: none" in found[JAIL]["measured"]
    assert colours(found)[VERIFIED] == "amber" and results(top) == {}


@pytest.mark.long
def test_landlock_in_the_place_of_bubblewrap_is_amber_with_what_it_leaves_open(tmp_path: Path) -> None:
    if find_landlock() is None:
        pytest.skip("this kernel has no Landlock")
    broken = path_with(tmp_path / "bin", bwrap="echo 'setting up uid map: Permission denied' >&2; exit 1")
    broken["PATH"] += os.pathsep + os.environ["PATH"]
    found = doctor(make_repository(tmp_path / "repo", config=PLANNED), "--quick", env=broken)[JAIL]
    assert found["colour"] == "amber" and "write `jail: landlock`" in found["mend"]
    assert (
        "landlock works here; open on this machine: Landlock in the place of bubblewrap" in found["measured"]
    )
    config = PLANNED.replace("evaluator:\n", "evaluator:\n  jail: landlock\n")
    found = doctor(make_repository(tmp_path / "asked", config=config), "--quick")[JAIL]
    assert found["colour"] == "green" and "names, sizes and times of all files" in found["measured"]


@pytest.mark.long
def test_to_go_without_a_jail_is_amber(tmp_path: Path) -> None:
    config = PLANNED.replace("evaluator:\n", "evaluator:\n  jail: none\n")
    clean = {name: "" for name in os.environ if "TOKEN" in name or "SECRET" in name or "KEY" in name}
    found = doctor(make_repository(tmp_path / "repo", config=config), "--quick", env=clean)
    assert colours(found)[JAIL] == "amber"


@pytest.mark.long
def test_a_gpu_that_the_jail_does_not_show_is_red(tmp_path: Path) -> None:
    """A driver's tool that names two of them, on a machine without their device nodes."""
    if Path("/dev/nvidia0").exists():
        pytest.skip("here the jail shows a real one")
    env = path_with(tmp_path / "bin", **{"nvidia-smi": "echo NVIDIA H100; echo NVIDIA H100"})
    env["PATH"] += os.pathsep + os.environ["PATH"]
    found = doctor(make_repository(tmp_path / "repo", config=PLANNED), "--quick", env=env, code=1)[GPU]
    assert found["colour"] == "red" and "shows 2 (NVIDIA H100), the jail 0" in found["measured"]


@pytest.mark.parametrize(
    ("outside", "inside", "settings", "colour"),
    [
        (["H100"], {"nodes": 1, "torch": 1, "gpus": 1}, Evaluator(), "green"),
        (["H100"], {"nodes": 1, "torch": 1, "gpus": 0}, Evaluator(), "red"),
        (["H100"], {"nodes": 1, "torch": 0, "gpus": 1}, Evaluator(), "red"),
        (["H100"], {"nodes": 1, "torch": 0, "gpus": 1}, Evaluator(kind="command", command=["a"]), "green"),
        ([], {"nodes": 0, "torch": 0, "gpus": 0}, Evaluator(), "amber"),
        ([], {"nodes": 0, "torch": 0, "gpus": 0}, config_of("evaluator: {budget: {kind: cpu}}").evaluator, "green"),
    ],
)  # fmt: skip
def test_what_the_jail_shows_of_gpus(
    outside: list[str], inside: dict[str, float], settings: Evaluator, colour: str
) -> None:
    assert gpu(outside, inside, settings).colour == colour


def test_a_silent_log_is_red() -> None:
    assert logs("").colour == "red"
