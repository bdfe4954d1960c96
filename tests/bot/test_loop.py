"""The loop from end to end, through the command line, on a task without torch."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.bot.repositories import (
    CONFIG,
    TRAIN,
    events,
    git,
    kill_group,
    make_repository,
    nocturne,
    outcome,
    start,
    status,
    wait_for,
)


def limited(experiments: int, more: str = "") -> str:
    return f"{CONFIG}stop: {{experiments: {experiments}}}\n{more}"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign of seven experiments, for tests that only read it."""
    folder = make_repository(tmp_path_factory.mktemp("campaign") / "repo", config=limited(7))
    done = nocturne(folder, "run")
    assert "The loop stopped (experiments): 7 experiments are done" in done.stdout
    return folder


def test_status_holds_what_scripts_read(campaign: Path) -> None:
    known = status(campaign)
    assert known["campaign"] == "main"
    assert known["state"] == "stopped"
    assert known["stop_reason"] == "experiments"
    assert known["baseline"]["commit"] == git(campaign, "rev-parse", "main")
    assert known["incumbent"]["score"] < known["baseline"]["score"]
    assert known["incumbent"]["runs"] >= 2 and known["baseline"]["runs"] >= 2
    assert known["experiments"]["total"] == 7
    assert known["experiments"]["improved"] >= 1
    assert known["gpu_seconds"] > 0 and known["cost_usd"] == 0
    assert known["noise"]["sigma"] > 0 and known["noise"]["runs"] >= 4
    assert known["best"]["score"] <= known["incumbent"]["score"]


def test_git_log_alone_tells_the_night(campaign: Path) -> None:
    known = status(campaign)
    trailer = "%(trailers:key=Nocturne-Experiment,valueonly,separator=)"
    log = git(campaign, "log", f"--format=%H%x00%s%x00{trailer}", "main..nocturne/main")
    rows = [line.split("\0") for line in log.splitlines()]
    landed = [event["experiment"] for event in events(campaign) if event["kind"] == "experiment_landed"]
    assert [int(row[2]) for row in rows] == landed[::-1]
    assert rows[0][0] == known["incumbent"]["commit"]
    proposed = {
        e["experiment"]: e["hypothesis"] for e in events(campaign) if e["kind"] == "experiment_proposed"
    }
    assert [row[1] for row in rows] == [proposed[number] for number in landed[::-1]]
    assert git(campaign, "rev-list", "--merges", "main..nocturne/main") == ""


def test_what_landed_is_what_was_tested_and_nothing_else_changed(campaign: Path) -> None:
    recorded = events(campaign)
    for landing in (event for event in recorded if event["kind"] == "experiment_landed"):
        runs = [e for e in recorded if e["kind"] == "run_finished" and e["commit"] == landing["commit"]]
        assert len([run for run in runs if run["experiment"] == landing["experiment"]]) >= 1
        changed = git(campaign, "diff", "--name-only", landing["previous"], landing["commit"])
        assert changed == "train.py"
    assert git(campaign, "status", "--porcelain") == ""
    assert git(campaign, "rev-parse", "--abbrev-ref", "HEAD") == "main"


@pytest.mark.long
def test_every_experiment_can_be_shown_with_its_pull_request(campaign: Path) -> None:
    for event in events(campaign):
        if event["kind"] != "experiment_decided":
            continue
        said = nocturne(campaign, "show", str(event["experiment"])).stdout
        assert f"verdict: {event['verdict']}" in said
        assert "Pull request" in said and re.search(r"check nocturne/report: \w+, ", said)
        assert re.search(r"state: (merged|closed)", said)
        assert f"nocturne:{event['verdict']}" in said
        assert "status nocturne/review: success" in said
        assert "+++ b/train.py" in said
        if event["effect"] is not None:
            line = r"loss [\d.]+, [+−][\d.]+ ± [\d.]+ vs [\d.]+ \((?:\d+ %, )?\d\+\d runs\)"
            assert re.search(rf"status nocturne/score: \w+, {line}", said)


def test_no_experiment_is_made_twice(campaign: Path) -> None:
    proposed = [e for e in events(campaign) if e["kind"] == "experiment_proposed"]
    commits = [e for e in events(campaign) if e["kind"] == "candidate_built"]
    trees = [git(campaign, "rev-parse", f"{e['commit']}^{{tree}}") for e in commits]
    assert len(set(trees)) == len(proposed) == 7


def test_ledger_is_rendered_for_people(campaign: Path) -> None:
    rows = git(campaign, "show", "nocturne/ledger:main/results.tsv").splitlines()
    assert rows[0].split("\t") == ["commit", "loss", "memory_gb", "status", "description"]
    assert rows[1].split("\t")[3:] == ["keep", "baseline"]
    assert len(rows) == 9
    assert "progress.svg" in git(campaign, "show", "nocturne/ledger:main/README.md")
    assert git(campaign, "show", "nocturne/ledger:main/progress.svg").startswith("<svg")


def test_report_page_and_tsv(campaign: Path, tmp_path: Path) -> None:
    nocturne(campaign, "report", "--html", str(tmp_path / "r.html"), "--tsv", str(tmp_path / "r.tsv"))
    page = (tmp_path / "r.html").read_text()
    assert page.lower().startswith("<!doctype html>") and "+++ b/train.py" in page
    assert len((tmp_path / "r.tsv").read_text().splitlines()) == 9
    assert "improved" in nocturne(campaign, "report").stdout


def test_run_again_after_a_stop_says_so_and_adds_nothing(campaign: Path) -> None:
    before = len(events(campaign))
    assert "7 experiments are done" in nocturne(campaign, "run").stdout
    assert len(events(campaign)) == before


def test_new_repository_has_a_status_and_a_report(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    known = status(folder)
    assert known["state"] == "new" and known["incumbent"] is None and known["experiments"]["total"] == 0
    nocturne(folder, "status")
    nocturne(folder, "report", "--html", str(tmp_path / "r.html"))
    assert git(folder, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


@pytest.mark.slow
def test_same_seed_same_campaign_other_seed_another(tmp_path: Path) -> None:
    outcomes = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        folder = make_repository(tmp_path / name, config=limited(2, f"seed: {seed}\n"))
        nocturne(folder, "run")
        outcomes.append(outcome(folder))
    assert outcomes[0] == outcomes[1] != outcomes[2]


@pytest.mark.long
def test_n_experiments_and_stages_on_their_own(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", remote=tmp_path / "origin.git")
    assert "(requested): 1 experiment asked for, and done" in nocturne(folder, "run", "-n", "1").stdout
    assert status(folder)["experiments"]["total"] == 1
    assert "experiment 2 is open" in nocturne(folder, "propose").stdout
    assert status(folder)["experiments"]["open"] == 1
    nocturne(folder, "decide", code=2)
    assert "experiment 2 has its verdict" in nocturne(folder, "train", "2").stdout
    nocturne(folder, "decide")
    known = status(folder)["experiments"]
    assert (known["total"], known["open"]) == (2, 0)
    nocturne(folder, "iterate")
    assert status(folder)["experiments"]["total"] == 3
    branches = git(tmp_path / "origin.git", "branch", "--format=%(refname:short)").split()
    assert sorted(branches) == ["main", "nocturne/ledger", "nocturne/main"]


@pytest.mark.long
def test_another_clone_goes_on_with_what_one_began(tmp_path: Path) -> None:
    one = make_repository(tmp_path / "one", remote=tmp_path / "origin.git")
    nocturne(one, "run", "-n", "1")
    nocturne(one, "propose")
    git(tmp_path, "clone", "--quiet", str(tmp_path / "origin.git"), "two")
    assert "experiment 2 has its verdict" in nocturne(tmp_path / "two", "train").stdout
    nocturne(one, "decide", "2")
    assert status(tmp_path / "two")["experiments"]["total"] == 2
    nocturne(tmp_path / "two", "run", "-n", "1")  # experiment 3, made and ended over there
    git(tmp_path, "clone", "--quiet", str(tmp_path / "origin.git"), "three")
    for folder in (one, tmp_path / "three"):
        assert status(folder)["experiments"]["total"] == 3
        assert "+++ b/train.py" in nocturne(folder, "show", "3").stdout
        nocturne(folder, "report", "--html", str(tmp_path / "r.html"))
        # The diff of each, and of all that was merged.
        assert (tmp_path / "r.html").read_text().count("+++ b/train.py") == 3 + 1
        assert outcome(folder) == outcome(tmp_path / "two")


@pytest.mark.long
def test_experiment_claimed_elsewhere_is_proposed_here(tmp_path: Path) -> None:
    """A machine that died after its claim left nothing but a number and the incumbent's name."""
    one = make_repository(tmp_path / "one", config=limited(2), remote=tmp_path / "origin.git")
    nocturne(one, "run", "-n", "1")
    before = [event["kind"] for event in events(one)]
    nocturne(one, "propose")
    for commit in git(tmp_path / "origin.git", "rev-list", "nocturne/ledger").split():
        kinds = [event["kind"] for event in events(tmp_path / "origin.git", commit)]
        if kinds[len(before) :] == ["experiment_claimed", "lease_taken"]:
            git(tmp_path / "origin.git", "update-ref", "refs/heads/nocturne/ledger", commit)
            break
    git(tmp_path, "clone", "--quiet", str(tmp_path / "origin.git"), "two")
    nocturne(tmp_path / "two", "run")
    assert status(tmp_path / "two")["experiments"]["total"] == 2


@pytest.mark.long
def test_pause_stop_resume(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    nocturne(folder, "run", "-n", "1")
    nocturne(folder, "pause")
    assert "(paused)" in nocturne(folder, "run").stdout
    assert status(folder)["state"] == "paused"
    nocturne(folder, "resume")
    nocturne(folder, "run", "-n", "1")
    nocturne(folder, "stop")
    assert "(stopped)" in nocturne(folder, "run").stdout
    assert status(folder)["stop_reason"] == "stopped"
    nocturne(folder, "resume")
    assert status(folder)["experiments"]["total"] == 2


@pytest.mark.long
def test_pause_reaches_a_loop_that_runs(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo")
    loop = start(folder, "run", env={"TASK_SECONDS": "0.3"})
    try:
        wait_for(lambda: "nocturne/ledger" in git(folder, "branch", "-r") and len(events(folder)) > 8)
        nocturne(folder, "pause")
        said, _ = loop.communicate(timeout=60)
        assert "(paused)" in said and loop.returncode == 0
    finally:
        kill_group(loop)


def test_goal_in_the_configuration(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=CONFIG + "stop: {goal: 1.2}\n")
    assert "has reached the goal 1.2" in nocturne(folder, "run").stdout
    assert status(folder)["experiments"]["total"] == 0


@pytest.mark.long
def test_revert_takes_one_merge_out_and_says_so(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=limited(3))
    nocturne(folder, "run")
    recorded = events(folder)
    landed = [event["experiment"] for event in recorded if event["kind"] == "experiment_landed"]
    changes = {e["experiment"]: e["changes"][0] for e in recorded if e["kind"] == "experiment_proposed"}
    first = landed[-1]
    final = {changes[n]["name"]: changes[n]["new"] for n in landed}
    later = {name: value for name, value in final.items() if name != changes[first]["name"]}
    nocturne(folder, "revert", "99", code=2)
    nocturne(folder, "revert", str(first))
    text = (folder / ".github/nocturne.yml").read_text().replace("experiments: 3", "experiments: 4")
    (folder / ".github/nocturne.yml").write_text(text)
    git(folder, "commit", "--quiet", "--all", "--message", "One more")
    nocturne(folder, "run")
    claim = [event for event in events(folder) if event["kind"] == "experiment_claimed"][-1]
    assert claim["reverts"] == first
    assert f"Revert experiment {first}" in git(folder, "log", "-1", "--format=%s", "nocturne/main")
    now = git(folder, "show", "nocturne/main:train.py")
    assert f"{changes[first]['name']} = {changes[first]['old']}\n" in now.replace("  #", "\n")
    assert all(f"{name} = {value}" in now for name, value in later.items())
    shown = nocturne(folder, "show", "4").stdout
    assert "taken out because a human asked" in shown and "state: merged" in shown


@pytest.mark.long
def test_branch_that_somebody_else_moves_is_measured_anew(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", remote=tmp_path / "origin.git")
    nocturne(folder, "run", "-n", "2")
    git(folder, "checkout", "--quiet", "-b", "mine", "nocturne/main")
    (folder / "train.py").write_text(TRAIN.replace("DROPOUT = 0.2", "DROPOUT = 0.0"))
    git(folder, "commit", "--quiet", "--all", "--message", "By hand")
    git(folder, "push", "--quiet", "origin", "HEAD:nocturne/main")
    git(folder, "checkout", "--quiet", "main")
    assert "was moved to" in nocturne(folder, "run", "-n", "1").stdout
    mine = git(folder, "rev-parse", "mine")
    assert len([e for e in events(folder) if e["kind"] == "run_finished" and e["commit"] == mine]) >= 2
    assert git(folder, "merge-base", "--is-ancestor", "mine", "nocturne/main") == ""


@pytest.mark.long
def test_branch_moved_under_an_experiment_rebases_it_and_measures_again(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", remote=tmp_path / "origin.git")
    nocturne(folder, "run", "-n", "1")
    for _ in range(12):  # until a proposal wins, so that it wants to land
        nocturne(folder, "propose")
        nocturne(folder, "train")
        decided = [e for e in events(folder) if e["kind"] == "experiment_decided"][-1]
        if decided["land"]:
            break
        nocturne(folder, "decide")
    assert decided["land"]
    git(folder, "fetch", "--quiet", "origin")
    git(folder, "checkout", "--quiet", "-b", "mine", "origin/nocturne/main")
    (folder / "train.py").write_text((folder / "train.py").read_text() + "# by hand\n")
    git(folder, "commit", "--quiet", "--all", "--message", "By hand")
    git(folder, "push", "--quiet", "origin", "HEAD:nocturne/main")
    git(folder, "checkout", "--quiet", "main")
    runs_before = len([e for e in events(folder) if e["kind"] == "run_finished"])
    nocturne(folder, "decide")
    runs_after = len([e for e in events(folder) if e["kind"] == "run_finished"])
    nocturne(folder, "run", "-n", "1")
    number = decided["experiment"]
    built = [e for e in events(folder) if e["kind"] == "candidate_built" and e["experiment"] == number]
    assert [e["round"] for e in built] == [1, 2]
    assert built[1]["parent"] == git(folder, "rev-parse", "mine")
    assert runs_before == runs_after  # `decide` never runs candidate code
    again = [e for e in events(folder) if e["kind"] == "experiment_decided" and e["experiment"] == number]
    assert again[-1]["round"] == 2
    if again[-1]["land"]:
        assert git(folder, "show", "nocturne/main:train.py").endswith("# by hand")


CRASHES = """\
import os, sys
if "LEARNING_RATE = 0.001\\n" not in open("train.py").read():
    sys.exit("boom")
print("METRIC loss=1.0")
"""


@pytest.mark.long
def test_crashes_are_told_apart_and_stop_the_loop_in_a_row(tmp_path: Path) -> None:
    config = CONFIG + "stop: {crashes_in_row: 3}\n"
    files = {"score.py": CRASHES, "train.py": "LEARNING_RATE = 0.001\nrate = LEARNING_RATE\n"}
    folder = make_repository(tmp_path / "repo", config=config, files=files)
    assert "(crashes): 3 experiments crashed in a row" in nocturne(folder, "run").stdout
    known = status(folder)
    assert known["experiments"]["crashed"] == 3 and known["stop_reason"] == "crashes"
    assert "boom" in nocturne(folder, "show", "1").stdout
    log = git(folder, "ls-tree", "-r", "--name-only", "nocturne/ledger", "main/logs/").splitlines()
    assert len(log) == 3


@pytest.mark.long
def test_baseline_that_fails_stops_with_its_reason_and_a_mend_goes_on(tmp_path: Path) -> None:
    folder = make_repository(
        tmp_path / "repo", files={"train.py": "LEARNING_RATE = 1\nraise OSError('no data')\n"}
    )
    assert "the incumbent itself fails (OSError: no data); fix it" in nocturne(folder, "run", code=2).stderr
    assert status(folder)["stop_reason"] == "baseline"
    (folder / "train.py").write_text(TRAIN)
    git(folder, "commit", "--quiet", "--all", "--message", "Mend")
    nocturne(folder, "run", "-n", "1")
    assert status(folder)["experiments"]["total"] == 1


@pytest.mark.long
def test_search_that_is_exhausted_stops_and_says_so(tmp_path: Path) -> None:
    files = {"train.py": "FLAG = True\nflag = FLAG\n", "score.py": "print('METRIC loss=1.0')\n"}
    folder = make_repository(tmp_path / "repo", files=files)
    said = nocturne(folder, "run").stdout
    assert "(exhausted)" in said and "everything was tried: every step of FLAG" in said
    assert "widen the program" not in said
    assert "(exhausted)" in nocturne(folder, "run").stdout
    known = status(folder)["experiments"]
    assert known["total"] == 2 and known["lost"] == 1


@pytest.mark.long
def test_several_campaigns_and_several_files(tmp_path: Path) -> None:
    config = (
        CONFIG
        + "stop: {experiments: 2}\ncampaigns:\n  low: {editable: [train.py, model.py]}\n  high: {seed: 9}\n"
    )
    files = {"model.py": "HIDDEN_SIZE = 128\nsize = HIDDEN_SIZE\n", "train.py": TRAIN.splitlines()[0] + "\n"}
    files["train.py"] += "rate = LEARNING_RATE\n"
    files["score.py"] = "import runpy\nrunpy.run_path('train.py')\nprint('METRIC loss=1.0')\n"
    folder = make_repository(tmp_path / "repo", config=config, files=files)
    assert "choose one with --campaign" in nocturne(folder, "run", code=2).stderr
    nocturne(folder, "run", "--campaign", "low")
    nocturne(folder, "run", "--campaign", "high", "-n", "1")
    assert status(folder, "--campaign", "low")["experiments"]["total"] == 2
    assert status(folder, "--campaign", "high")["experiments"]["total"] == 1
    proposed = {name: [e for e in events(folder, campaign=name) if "paths" in e] for name in ("low", "high")}
    assert {path for e in proposed["low"] for path in e["paths"]} == {"train.py", "model.py"}
    assert {path for e in proposed["high"] for path in e["paths"]} == {"train.py"}
    assert git(folder, "rev-parse", "nocturne/low") and git(folder, "rev-parse", "nocturne/high")


@pytest.mark.long
def test_maximize_and_json_output(tmp_path: Path) -> None:
    config = (
        CONFIG.replace("{name: loss}", "{name: accuracy, direction: maximize}") + "stop: {experiments: 6}\n"
    )
    from tests.bot.repositories import SCORE

    score = SCORE.replace(
        'print("METRIC loss=%.6f" % (', 'import json\nprint(json.dumps({"accuracy": 2 - ('
    ).replace("0.001)))", "0.001))}))")
    folder = make_repository(tmp_path / "repo", config=config, files={"score.py": score})
    nocturne(folder, "run")
    known = status(folder)
    assert known["experiments"]["improved"] >= 1
    assert known["incumbent"]["score"] > known["baseline"]["score"]


def test_uninstall_gives_everything_back(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", remote=tmp_path / "origin.git")
    before = git(folder, "for-each-ref", "--format=%(refname)")
    nocturne(folder, "run", "-n", "1")
    assert "would delete" in nocturne(folder, "uninstall").stdout
    assert "nocturne/main" in git(folder, "branch", "-r")
    nocturne(folder, "uninstall", "--remote", "--yes")
    assert git(folder, "for-each-ref", "--format=%(refname)") == before
    assert git(tmp_path / "origin.git", "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert not (folder / ".git" / "nocturne").exists()


@pytest.mark.long
def test_disk_space_is_given_back(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=limited(10, "verdict: {remeasure_every: 1}\n"))
    env = {"TMPDIR": str(tmp_path / "tmp"), "TASK_SECONDS": "0.5"}
    (tmp_path / "tmp").mkdir()
    scratch = folder / ".git/nocturne/main/scratch"
    loop = start(folder, "run", env=env)
    wait_for(lambda: list(scratch.glob("*/tree/train.py")) != [])
    kill_group(loop)
    assert list(scratch.iterdir()) != []
    nocturne(folder, "run", env={**env, "TASK_SECONDS": "0"})
    assert list((tmp_path / "tmp").iterdir()) == [] and list(scratch.iterdir()) == []
    assert len([e for e in events(folder) if e["kind"] == "run_finished"]) > 20
    assert len(list((folder / ".git/nocturne/main/runs").iterdir())) <= 20


@pytest.mark.long
def test_interrupt_ends_quietly_and_the_next_run_goes_on(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=limited(3))
    loop = start(folder, "run", env={"TASK_SECONDS": "0.5"})
    wait_for(lambda: "nocturne/ledger" in git(folder, "branch", "-r") and len(events(folder)) > 6)
    loop.terminate()
    said, _ = loop.communicate(timeout=30)
    assert loop.returncode == 130 and "nothing is lost" in said and "Traceback" not in said
    nocturne(folder, "run")
    assert status(folder)["experiments"]["total"] == 3
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(folder) not in listed
