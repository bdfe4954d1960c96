"""The demo: a real campaign with real training, from an empty folder to a report."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bot.commands.demo import MARKER, _folder, _Made, _mark, _new_repository
from tests.bot.repositories import events, git, nocturne, status


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_an_interrupted_demo_goes_on_to_a_report_and_an_honest_confirmation(tmp_path: Path) -> None:
    words = ["demo", "--experiments", "2", "--seed", "3"]
    with subprocess.Popen(
        [sys.executable, "-I", "-m", "bot", *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as demo:  # fmt: skip
        assert demo.stdout is not None and demo.stderr is not None
        for line in demo.stdout:
            if "scores are made of" in line or " seed " in line:  # the first run has ended
                break
        demo.send_signal(signal.SIGINT)
        said = demo.stderr.read()
    assert demo.returncode == 130
    assert "nothing is lost, `nocturne demo --experiments 2 --seed 3` goes on" in said
    done = nocturne(tmp_path, *words, "--json", timeout=1000)
    assert "Going on with the demo in" in done.stdout
    folder = tmp_path / "nocturne-demo"
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told["experiments"]["total"] == 2 and told["stop_reason"] == "experiments"
    assert told["metric"] == "val_bpb" and 1 < told["incumbent"]["score"] <= told["baseline"]["score"] < 8
    landed = [event for event in events(folder) if event["kind"] == "experiment_landed"]
    held = told["confirmation"]
    assert (held is not None) == bool(landed)
    if held:
        assert len(held["head"]) == len(held["baseline"]) == 3
        gain = sum(held["baseline"]) / 3 - sum(held["head"]) / 3
        assert held["gain"] == pytest.approx(gain)
        assert held["holds"] == (gain > held["half_width"])
        assert held["half_width"] > 0
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
