"""The demo: a real campaign with real training, from an empty folder to a report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bot.repositories import events, git, nocturne, status


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_demo_ends_by_itself_with_a_report_and_an_honest_confirmation(tmp_path: Path) -> None:
    done = nocturne(tmp_path, "demo", "--experiments", "2", "--seed", "3", "--json", timeout=1000)
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
