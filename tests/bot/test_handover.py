"""Three jobs that share nothing but the remote: one proposes, one trains and writes nothing, one decides."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.loop.handover import MOST, fitted
from tests.bot.repositories import CONFIG, events, git, make_repository, nocturne, status

LIMITED = f"{CONFIG}stop: {{experiments: 3}}\n"


class Jobs:
    """A remote, and a fresh clone of it for each job."""

    def __init__(self, folder: Path, config: str = LIMITED) -> None:
        self.folder = folder
        self.remote = folder / "remote.git"
        self.count = 0
        make_repository(folder / "mine", config=config, remote=self.remote)

    def clone(self) -> Path:
        self.count += 1
        clone = self.folder / f"clone-{self.count}"
        git(self.folder, "clone", "--quiet", str(self.remote), str(clone))
        return clone

    def refs(self) -> str:
        return git(self.remote, "for-each-ref")

    def propose(self) -> int | None:
        said = nocturne(self.clone(), "propose", "--finish-first").stdout
        found = re.search(r"experiment (\d+) is open", said)
        return int(found[1]) if found else None

    def train(self, number: int) -> Path:
        path = self.folder / f"handover-{self.count}.json"
        before = self.refs()
        nocturne(self.clone(), "train", str(number), "--handover", str(path))
        assert self.refs() == before
        return path

    def decide(self, path: Path, code: int = 0) -> str:
        done = nocturne(self.clone(), "decide", "--handover", str(path), code=code)
        return done.stdout + done.stderr

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [e for e in events(self.remote) if e["kind"] == kind]


@pytest.mark.long
def test_a_campaign_in_three_jobs_ends_as_in_one(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    for turn in range(1, 4):
        number = jobs.propose()
        assert number == turn
        assert "is finished" in jobs.decide(jobs.train(number))
    assert jobs.propose() is None
    known = status(jobs.clone())
    assert known["stop_reason"] == "experiments"
    assert known["experiments"]["total"] == 3 and known["experiments"]["improved"] >= 1
    landed = jobs.events("experiment_landed")
    assert git(jobs.remote, "rev-parse", "nocturne/main") == landed[-1]["commit"]

    alone = make_repository(tmp_path / "alone", config=LIMITED)
    nocturne(alone, "run")
    first = next(e for e in events(alone) if e["kind"] == "experiment_proposed")
    assert jobs.events("experiment_proposed")[0]["hypothesis"] == first["hypothesis"]
    runs = {e["run"]: e["score"] for e in events(alone) if e["kind"] == "run_finished"}
    same = [e for e in jobs.events("run_finished") if e["seed"] in {0, 1} and e["run"] in runs]
    assert all(e["score"] == runs[e["run"]] for e in same)


@pytest.mark.long
def test_a_lost_job_is_made_up_for_and_a_repeated_one_changes_nothing(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path)
    number = jobs.propose()
    assert number == 1
    assert jobs.propose() == 1  # the training was lost: the same experiment once more, not another one
    assert "needs another run" in jobs.decide(tmp_path / "nothing.json")
    path = jobs.train(number)
    jobs.decide(path)
    before = jobs.refs()
    assert "experiment 1 is finished" in jobs.decide(path, code=2)
    assert jobs.refs() == before


def forged(change: Callable[[dict[str, Any]], object]) -> Callable[[str], str]:
    def write(text: str) -> str:
        record = json.loads(text)
        change(record)
        return json.dumps(record)

    return write


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (lambda text: text[:-20], "not a handover"),
        (lambda text: text + " " * (1 << 20), "larger than"),
        pytest.param(lambda text: "[]", "not a handover", marks=pytest.mark.long),
        (forged(lambda r: r.update(campaign="other")), "campaign 'other'"),
        pytest.param(forged(lambda r: r.update(experiment=7)), "no experiment 7", marks=pytest.mark.long),
        (forged(lambda r: r["runs"][-1].update(seed=99)), "another name or seed"),
        (forged(lambda r: r["runs"][-1].update(commit="0" * 40)), "of another experiment"),
        pytest.param(
            forged(lambda r: r["runs"][-1].update(score="0.1")), "no number", marks=pytest.mark.long
        ),
        pytest.param(
            forged(lambda r: r["runs"][-1].update(metrics=[1])), "not a handover", marks=pytest.mark.long
        ),
        pytest.param(
            forged(lambda r: r["runs"][-1].update(failure={"class": "x", "reason": "y"})),
            "score or a failure",
            marks=pytest.mark.long,
        ),
        (
            forged(lambda r: r["runs"].append({"kind": "command_given", "number": 1, "command": "stop"})),
            "no run",
        ),
    ],
)
def test_what_is_handed_over_is_checked(
    tmp_path: Path, handed: tuple[Jobs, str], forge: Callable[[str], str], reason: str
) -> None:
    jobs, text = handed
    path = tmp_path / "handover.json"
    path.write_text(forge(text))
    before = jobs.refs()
    said = jobs.decide(path, code=2)
    assert reason in said and str(path) in said
    assert jobs.refs() == before


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Jobs, str]:
    """Jobs with an experiment whose training was handed over."""
    jobs = Jobs(tmp_path_factory.mktemp("jobs"))
    number = jobs.propose()
    assert number is not None
    return jobs, jobs.train(number).read_text()


def test_a_handover_fits_where_it_has_to_pass() -> None:
    curve = tuple((float(step), 1.0 / 3, 2.0 / 3) for step in range(40))
    runs = [{"run": f"r-{n}", "curve": curve} for n in range(30)]
    small = {"runs": runs[:2], "logs": {"r-0": "x" * 1000}}
    assert json.loads(fitted(small)) == json.loads(json.dumps(small))
    loud = {"runs": runs[:2], "logs": {f"r-{n}": "x" * 8000 for n in range(20)}}
    assert json.loads(fitted(loud)) == json.loads(json.dumps(loud | {"logs": {}}))
    long = json.loads(fitted({"runs": runs * 3, "logs": {}}))
    assert [run["run"] for run in long["runs"]] == [run["run"] for run in runs * 3]
    assert len(json.dumps(long)) < MOST
