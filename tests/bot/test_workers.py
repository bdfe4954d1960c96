"""Several loops of one machine: each with its own GPU, on one campaign, with nothing measured twice."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from bot.loop.machine import gpu_names, runner_kind
from bot.loop.workers import shares
from tests.bot.repositories import CONFIG, events, make_repository, nocturne, start, wait_for

SMI = """#!/bin/sh
case "$1" in
*name*) echo "GPU-aa, NVIDIA H100"; echo "GPU-bb, NVIDIA A100" ;;
*) echo "0, GPU-aa"; echo "1, GPU-bb" ;;
esac
"""


def with_gpus(tmp_path: Path) -> str:
    """Put an nvidia-smi that lists two GPUs in front of the path."""
    smi = tmp_path / "bin/nvidia-smi"
    smi.parent.mkdir()
    smi.write_text(SMI)
    smi.chmod(0o755)
    return f"{smi.parent}:{os.environ['PATH']}"


def test_experiments_are_shared_and_nobody_starts_for_none() -> None:
    assert shares(3, None) == [None, None, None]
    assert shares(4, 10) == [3, 3, 2, 2] and shares(3, 2) == [1, 1] and shares(1, 5) == [5]


def test_a_worker_is_the_kind_of_machine_that_it_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", with_gpus(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert runner_kind() == "2x NVIDIA H100"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-bb")
    assert runner_kind() == "1x NVIDIA A100"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-11")
    assert gpu_names() == ["NVIDIA H100", "NVIDIA A100"]


def test_more_workers_than_gpus_are_refused(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=CONFIG)
    env = {"PATH": with_gpus(tmp_path), "CUDA_VISIBLE_DEVICES": "0,1"}
    said = nocturne(folder, "run", "--workers", "3", code=2, env=env).stderr
    assert said == "nocturne: --workers 3: each takes a GPU of its own, and this process sees 2\n"


@pytest.mark.slow  # in CI an interrupt reaches two workers, below, and two loops share in `test_interruption`
def test_two_workers_share_a_campaign_and_measure_its_baseline_as_often_as_due(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=f"{CONFIG}stop: {{experiments: 6}}\n")
    said = nocturne(folder, "run", "--workers", "2", "-n", "6", process=True, timeout=600).stdout
    assert "no GPU is seen here" in said and "[1] " in said and "[2] " in said
    told = events(folder)
    finished = [each["experiment"] for each in told if each["kind"] == "experiment_finished"]
    assert sorted(finished) == [1, 2, 3, 4, 5, 6]
    begun = next(n for n, each in enumerate(told) if each["kind"] == "experiment_claimed")
    baseline = [each for each in told[:begun] if each["kind"] == "run_finished"]
    assert len(baseline) == 3


@pytest.mark.long
def test_an_interrupt_reaches_all_workers_and_the_next_run_goes_on(tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "repo", config=f"{CONFIG}stop: {{experiments: 4}}\n")
    process = start(folder, "run", "--workers", "2")
    wait_for(lambda: len(said_of(folder)) > 3, seconds=120)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130 and out.count("interrupted") == 3
    nocturne(folder, "run")
    assert [e["experiment"] for e in events(folder) if e["kind"] == "experiment_finished"] == [1, 2, 3, 4]


def said_of(folder: Path) -> list[object]:
    """Return the ledger's events, none if there is no ledger yet."""
    try:
        return list(events(folder))
    except KeyError:
        return []
