"""The demo: a real campaign with real training, from an empty folder to a report."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from bot.commands.demo import MARKER, _folder, _Made, _mark, _new_repository
from tests.bot.repositories import CONFIG, events, git, make_repository, nocturne, status

# The demo with trainings of a second, and amid so much noise that no gain counts: a run costs most by what it starts.
SHORT = """
import sys
from bot.commands import cli, demo
demo.CPU_SECONDS = 1
demo._CONFIG += "verdict: {{prior_sigma: 9, baseline_runs: 2}}\\n"
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_an_interrupted_demo_goes_on_to_a_report(tmp_path: Path) -> None:
    words = ["demo", "--experiments", "1", "--seed", "3"]
    told = interrupted(tmp_path, [sys.executable, "-I", "-c", SHORT, *words])
    folder = tmp_path / "nocturne-demo"
    assert told["experiments"]["total"] == 1 and told["stop_reason"] == "experiments"
    assert told["metric"] == "val_bpb" and told["confirmation"] is None
    runs = [event for event in events(folder) if event["kind"] == "run_finished"]
    first, mine = runs[0], [run for run in runs if run["experiment"] == 1]
    assert len(mine) == 1 and {run["experiment"] for run in runs} == {None, 1}
    assert first["reference"]["amount"] == 1 and mine[0]["reference"] is None, (
        "it is charged by what the first took"
    )
    assert all(run["audit"]["probes"] >= 512 and run["audit"]["far"] == 0 for run in runs)
    assert (folder / "report.html").stat().st_size > 20_000
    assert len((folder / "results.tsv").read_text().splitlines()) == 3
    assert git(folder, "status", "--porcelain", "--untracked-files=no") == ""


@pytest.mark.long
def test_a_demo_that_gained_ends_with_an_honest_confirmation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on in a folder that it made, whatever lies there: the formula, whose gains are known."""
    nothing_to_prepare = mock.Mock()
    monkeypatch.setattr("bot.commands.demo.call_evaluator", nothing_to_prepare)
    made = _Made(seed=0, experiments=2)
    folder = make_repository(tmp_path / "nocturne-demo", config=f"{CONFIG}stop: {{experiments: 2}}\n")
    _mark(folder, made)
    done = nocturne(tmp_path, "demo", "--experiments", "2", "--json")
    assert "Going on with the demo in" in done.stdout
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert [event for event in events(folder) if event["kind"] == "experiment_landed"]
    confirmed(told["confirmation"])


def confirmed(held: dict[str, Any]) -> None:
    assert len(held["head"]) == len(held["baseline"]) == 3
    gain = sum(held["baseline"]) / 3 - sum(held["head"]) / 3
    assert held["gain"] == pytest.approx(gain)
    assert held["holds"] == (gain > held["half_width"])
    assert held["half_width"] > 0


def interrupted(folder: Path, command: list[str]) -> dict[str, Any]:
    """Interrupt a demo once its first run has ended, see that it goes on, and return what it tells in the end."""
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None and demo.stderr is not None
        for line in demo.stdout:
            if "scores are made of" in line or " seed " in line:  # the first run has ended
                break
        demo.send_signal(signal.SIGINT)
        said = demo.stderr.read()
    assert demo.returncode == 130
    words = " ".join(command[command.index("demo") :])
    assert f"nothing is lost, `nocturne {words}` goes on" in said
    done = subprocess.run(
        [*command, "--json"], cwd=folder, capture_output=True, text=True, timeout=1000, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Going on with the demo in" in done.stdout
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_whole_demo_trains_as_long_as_it_says_and_confirms(tmp_path: Path) -> None:
    """Eight minutes of what the two above show in one and a half, with trainings as users get them."""
    words = ["demo", "--experiments", "2", "--seed", "3"]
    told = interrupted(tmp_path, [sys.executable, "-I", "-m", "bot", *words])
    folder = tmp_path / "nocturne-demo"
    assert told["experiments"]["total"] == 2 and told["stop_reason"] == "experiments"
    assert told["metric"] == "val_bpb" and 1 < told["incumbent"]["score"] <= told["baseline"]["score"] < 8
    landed = [event for event in events(folder) if event["kind"] == "experiment_landed"]
    held = told["confirmation"]
    assert (held is not None) == bool(landed)
    if held:
        confirmed(held)
    runs = [event for event in events(folder) if event["kind"] == "run_finished"]
    assert all(3.9 <= run["metrics"]["training_seconds"] <= 5.5 for run in runs)
    assert all(run["audit"]["probes"] >= 512 and run["audit"]["far"] == 0 for run in runs)
    begun = next(event for event in events(folder) if event["kind"] == "campaign_started")
    assert begun["min_effect"] == 0.0005
    heads = {run["commit"] for run in runs if run["audit"]["factor"] == 10}
    assert heads <= {event["commit"] for event in landed}, "the larger audit is for heads"
    assert all(len(run["curve"]) >= 3 and run["fingerprint"] for run in runs)
    assert len({run["fingerprint"] for run in runs}) == 1
    assert (folder / "report.html").stat().st_size > 20_000
    assert len((folder / "results.tsv").read_text().splitlines()) == 4
    assert git(folder, "status", "--porcelain", "--untracked-files=no") == ""
    assert status(folder)["incumbent"]["commit"] == git(folder, "rev-parse", "nocturne/main")


def test_demo_does_not_touch_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    precious = tmp_path / "work" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("years\n")
    said = nocturne(tmp_path, "demo", "--dir", "work", code=2).stderr
    assert "is not empty: choose another folder with --dir DIR" in said
    assert precious.read_text() == "years\n"


def test_a_second_demo_goes_on_or_takes_another_folder_and_deletes_nothing(tmp_path: Path) -> None:
    wanted, made = tmp_path / "nocturne-demo", _Made(seed=0, experiments=10)
    assert _folder(wanted, made) == wanted
    _new_repository(wanted, made, jail="none")
    assert [entry.name for entry in tmp_path.iterdir()] == ["nocturne-demo"], (
        "it has its name once it is whole"
    )
    assert git(wanted, "status", "--porcelain") == ""
    (wanted / "mine.txt").write_text("a week of notes\n")
    assert _folder(wanted, made) == wanted, "it was cut short, and goes on"
    other = _folder(wanted, replace(made, seed=1))
    assert other == tmp_path / "nocturne-demo-2", "another one takes another folder"
    _mark(wanted, replace(made, finished=True))
    assert _folder(wanted, made) == other
    _new_repository(other, made, jail="none")
    assert _folder(wanted, made) == other
    (wanted / ".git" / MARKER).write_text("")  # as earlier versions left it
    assert _folder(wanted, made) == other
    assert (wanted / "mine.txt").read_text() == "a week of notes\n"
