"""A campaign on GitHub, begun by pressing "Run workflow" and by nothing else: act runs what `init` wrote."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.github.cuts import SECRET
from tests.actions.campaign import TRAINED, bundled_task
from tests.actions.runner import Runner
from tests.actions.test_cuts import new_secret
from tests.bot.repositories import CONFIG, git

# The first of two is that much better.
LIMITED = f"{CONFIG}seed: 1\nverdict: {{min_effect: 0.025}}\nstop: {{experiments: 2}}\n"
CALLS = 6  # REST calls of an experiment; one that is not merged takes 5
CUTS = 4  # of a job, for what earlier ones lost at the cuts: list, run, artifact and its file, which is no REST call
ONCE = 10  # the promotion and its label, the labels' colours, a look at reviews at the end


def events(runner: Runner, kind: str) -> list[dict[str, Any]]:
    path = runner.repository.path
    names = git(path, "ls-tree", "-r", "--name-only", "nocturne/ledger", "main/events/").splitlines()
    lines = [line for name in names for line in git(path, "show", f"nocturne/ledger:{name}").splitlines()]
    return [event for event in map(json.loads, lines) if event["kind"] == kind]


def assert_nothing_of_the_runners(tools: Path) -> None:
    """The runner's Python, which runs us, has torch and pytest: the bot's imports come from its own environment."""
    (python,) = tools.glob("act/tool_cache/nocturne/*/bin/python")
    seen = "import sys, importlib.util as util; print(*sys.path, util.find_spec('pytest'), util.find_spec('torch'))"
    done = subprocess.run([python, "-I", "-c", seen], capture_output=True, text=True, check=True, timeout=60)
    *path, pytests, torchs = done.stdout.split()
    assert pytests == torchs == "None"
    packages = [folder for folder in path if folder.endswith("-packages")]
    assert packages and all(Path(folder).is_relative_to(tools) for folder in packages)


def assert_candidates_are_held_to_the_incumbent_at_cuts(runner: Runner) -> None:
    """What the incumbent lost goes from run to run in the artifact; a candidate can also be one of the first run."""
    scored = [run for run in events(runner, "run_finished") if run["score"] is not None]
    assert scored and all(run["metrics"]["cuts"] >= 32 for run in scored)
    mine = [run for run in scored if run["experiment"] is not None]
    assert {run["experiment"] for run in mine} >= {2, 3}
    assert all("cuts_caught_bpb" in run["metrics"] for run in mine)
    left = [each for each in runner.repository.contents.artifacts.values() if each.name == "cuts-main"]
    assert len(left) == 3 and not any("cuts: " in log for log in runner.logs)


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    ("form", "task", "experiments"),
    [
        ("three", "formula", 2),
        ("one", "formula", 1),
        # Each part by itself is CI's, too: the bundled task in `test_demo`, cuts from runner to runner in
        # `test_cuts_of_runs`, the form here.
        pytest.param("one", "bundled", 3, marks=pytest.mark.slow),
    ],
)
def test_a_campaign_runs_to_its_end(
    begin: Callable[..., Runner], tmp_path: Path, form: str, task: str, experiments: int
) -> None:
    config, files = LIMITED.replace("experiments: 2", f"experiments: {experiments}"), None
    if task == "bundled":
        config = TRAINED.format(experiments=experiments)
        files = bundled_task(tmp_path / "starter")
    runner = begin(form, config, name=f"octo/{form}-{task}", files=files)
    runner.secrets = {SECRET: new_secret()}
    if form == "three":
        runner.tools = tmp_path / "a-machine-where-nothing-is-installed"
    before, asked = len(runner.github.calls), len(runner.github.queries)
    assert runner.run_all(experiments + 2) == experiments
    if form == "three":
        assert "Installing Nocturne" in runner.logs[0]
        assert_nothing_of_the_runners(runner.tools)
    assert not any("Installing Nocturne" in log for log in runner.logs[1:])  # the second job finds it ready
    if task == "bundled":
        assert_candidates_are_held_to_the_incumbent_at_cuts(runner)

    stopped = events(runner, "loop_stopped")
    assert [event["reason"] for event in stopped] == ["experiments"]
    assert f"{experiments} experiment" in runner.logs[-1] and " done" in runner.logs[-1]

    landed = {event["experiment"]: event["commit"] for event in events(runner, "experiment_landed")}
    decided = {event["experiment"]: event for event in events(runner, "experiment_decided")}
    opened = {event["experiment"]: event["pull"] for event in events(runner, "pull_opened")}
    assert len(decided) == len(opened) == experiments
    # What real training comes to depends on the machine; the formula's outcome is known.
    assert task == "bundled" or list(landed) == [1]
    if landed:
        assert git(runner.repository.path, "rev-parse", "nocturne/main") == list(landed.values())[-1]
    contents = runner.repository.contents
    for number, pull in opened.items():
        issue = contents.issues[pull]
        verdict = decided[number]["verdict"]
        assert {"nocturne", f"nocturne:{verdict}"} <= {label.lower() for label in issue.labels}
        assert issue.state == "closed"
        assert issue.body is not None and verdict in issue.body and " of the candidate" in issue.body
        assert (issue.pull is not None and issue.pull.merged is not None) == (number in landed)
    assert contents.statuses == [], "no branch requires any"
    reports = {run.sha: run for run in contents.check_runs.values()}
    assert len(reports) == len(contents.check_runs) == experiments
    assert {(run.name, run.status) for run in reports.values()} == {("nocturne/report", "completed")}
    for number, commit in landed.items():
        assert f", {decided[number]['candidate_runs']}+" in str(reports[commit].output["title"])
    pages = {
        f"{runner.github.server_url}/{runner.repository.full_name}/actions/runs/{run}"
        for run in contents.runs
    }
    assert {run.details_url for run in reports.values()} <= pages
    assert all("Trained by [workflow run" in (contents.issues[pull].body or "") for pull in opened.values())

    calls = [call for call in runner.github.calls[before:] if call.token_user != "alice"]
    made = Counter(f"{call.method} {re.sub(r'[0-9a-f]{40}|[0-9]+', 'N', call.path)}" for call in calls)
    print(f"{len(calls)} calls for {experiments} experiments", *made.most_common(), sep="\n")
    queries = runner.github.queries[asked:]
    print(f"{len(queries)} queries of GraphQL")
    fetched = CUTS * experiments if task == "bundled" else 0
    assert len(calls) <= CALLS * len(landed) + (CALLS - 1) * (experiments - len(landed)) + ONCE + fetched
    assert len(queries) <= 3 * experiments
    assert runner.token not in "".join(runner.logs)


@pytest.mark.slow  # nine jobs that act runs; what each job does is in `test_heartbeat` and `test_inputs`
def test_a_training_that_is_lost_is_made_again_three_times(begin: Callable[..., Runner]) -> None:
    runner = begin("three", LIMITED, name="octo/lost")
    runner.lose_trainings()
    for attempt in range(3):
        waiting = runner.waiting()
        assert [link.inputs["attempt"] for link in waiting] == [str(attempt)]
        runner.run(waiting[0])
    assert runner.waiting() == []
    assert len(events(runner, "experiment_claimed")) == 1  # always the same experiment
    assert "3 runs in a row ended without a training" in runner.logs[-1]
