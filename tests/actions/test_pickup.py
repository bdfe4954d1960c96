"""A deciding job that died: what its training handed over is picked up from the artifact, and nothing else is."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.actions.jobs import Workplace
from tests.bot.repositories import CONFIG
from tests.github.server import GitHub

LIST = "/actions/artifacts"


def packed(files: dict[str, str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return data.getvalue()


@pytest.fixture
def lost(github: GitHub, tmp_path: Path) -> Workplace:
    """A campaign whose first training is made and handed over, and whose run died before it was taken in."""
    config = f"{CONFIG}lease_minutes: 0.05\nstop: {{experiments: 1}}\n"
    name = f"octo/{tmp_path.name.replace('_', '-')}"
    work = Workplace(github, tmp_path, "three", config, name=name)
    work.press()
    work.run_next(dies_before="decide")
    assert work.events("run_finished") == []
    return work


def asked(work: Workplace) -> list[str]:
    """Return what was asked of artifacts and runs, less the names."""
    calls = work.github.calls
    paths = [c.path.partition(work.name)[2] for c in calls if work.name in c.path and c.method == "GET"]
    return [path for path in paths if path.startswith((LIST, "/actions/runs"))]


@pytest.mark.long
def test_a_training_that_nobody_took_in_is_not_made_again(lost: Workplace) -> None:
    (artifact,) = lost.repository.contents.artifacts.values()
    assert artifact.name == "handover-1"
    with zipfile.ZipFile(io.BytesIO(artifact.data)) as archive:
        handed = json.loads(archive.read("nocturne-handover.json"))["runs"]
    assert asked(lost) == []
    lost.heartbeat()
    assert lost.run_all(2) == 1
    assert "that an earlier job left are picked up" in "".join(lost.logs)
    assert "0 runs of experiment 1" in "".join(lost.logs)  # the second training had nothing left to do
    runs = lost.events("run_finished")
    assert [(run["run"], run["score"]) for run in runs] == [(run["run"], run["score"]) for run in handed]
    assert len(lost.events("experiment_finished")) == 1
    assert asked(lost) == [LIST, f"/actions/runs/{artifact.run}", f"{LIST}/{artifact.id}/zip"]
    # The address of the storage was asked without the token, which is refused there.
    (stored,) = [
        call for call in lost.github.calls if call.path.startswith(f"/storage/{lost.repository.id}/")
    ]
    assert (stored.status, stored.token_user) == (200, None)
    assert not any(token in "".join(lost.logs) for token in lost.used)


def of_a_fork(work: Workplace) -> None:
    (artifact,) = work.repository.contents.artifacts.values()
    work.repository.contents.runs[artifact.run or 0].head_repository = 4711


def of_another_workflow(work: Workplace) -> None:
    (artifact,) = work.repository.contents.artifacts.values()
    work.repository.contents.runs[artifact.run or 0].workflow = ".github/workflows/other.yml"


def of_a_pull_request(work: Workplace) -> None:
    (artifact,) = work.repository.contents.artifacts.values()
    work.repository.contents.runs[artifact.run or 0].event = "pull_request"


def expired(work: Workplace) -> None:
    (artifact,) = work.repository.contents.artifacts.values()
    artifact.expired = True


def damaged(work: Workplace) -> None:
    (artifact,) = work.repository.contents.artifacts.values()
    artifact.data = artifact.data[:-30]


def huge(work: Workplace) -> None:
    (artifact,) = work.repository.contents.artifacts.values()
    artifact.data = packed({"nocturne-handover.json": " " * (2 << 20)})


def forged(work: Workplace) -> None:
    (artifact,) = work.repository.contents.artifacts.values()
    with zipfile.ZipFile(io.BytesIO(artifact.data)) as archive:
        record: dict[str, Any] = json.loads(archive.read("nocturne-handover.json"))
    record["runs"][-1]["commit"] = "0" * 40
    artifact.data = packed({"nocturne-handover.json": json.dumps(record)})


def gone(work: Workplace) -> None:
    work.repository.contents.artifacts.clear()


CHANGES = [
    *(pytest.param(change, marks=pytest.mark.long) for change in (forged,)),
    *(
        pytest.param(change, marks=pytest.mark.slow)
        for change in (of_a_fork, of_another_workflow, of_a_pull_request, expired, damaged, huge, gone)
    ),
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_not_our_own_or_not_whole_is_left(
    lost: Workplace, change: Callable[[Workplace], None]
) -> None:
    change(lost)
    lost.heartbeat()
    assert lost.run_all(2) == 1
    assert "picked up" not in "".join(lost.logs)
    assert "0 runs of experiment 1" not in "".join(lost.logs)  # it was trained again
    assert len(lost.events("experiment_finished")) == 1
    before_download = change in (of_a_fork, of_another_workflow, of_a_pull_request, expired, gone)
    assert any(path.endswith("/zip") for path in asked(lost)) is not before_download
