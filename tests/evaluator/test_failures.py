"""How a run ends that gets no score, and what is left of it: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.evaluator.runs import (
    COMMAND,
    STEPS,
    eventually,
    processes_with,
    score,
    start_score,
    starter,
    with_train,
)
from tests.evaluator.test_training import TINY


def family(marker: str) -> str:
    """Return a train.py that leaves processes everywhere: forked, started, and one that has left its session
    and its parents, all deaf to SIGTERM."""
    return f"""
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
subprocess.Popen([sys.executable, "-c", deaf, "{marker}"])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", deaf, "{marker}"])
    os._exit(0)
time.sleep(300)
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("x = (1,\nprint(2)\n", "syntax", "'(' was never closed"),
        pytest.param(
            "import nocturne_has_no_such_module\n", "import", "No module named", marks=pytest.mark.long
        ),
        ("def f():\n    return 1 / 0\nf()\n", "error", "ZeroDivisionError: division by zero"),
        ("x = bytearray(1 << 60)\n", "out_of_memory", "MemoryError"),
        ("import os\nos.abort()\n", "killed", "SIGABRT"),
        ("import os\nos.kill(os.getpid(), 9)\n", "infrastructure", "SIGKILL from outside"),
        pytest.param(
            "raise RuntimeError('CUDA error: uncorrectable ECC error')\n",
            "infrastructure",
            "uncorrectable ECC",
            marks=pytest.mark.slow,  # `test_faults` has the words of broken machines
        ),
        pytest.param(
            "import sys\nprint('no luck')\nsys.exit(3)\n",
            "error",
            "exit code 3: no luck",
            marks=pytest.mark.slow,
        ),
        ("print('done')\n", "error", "without calling evaluate_bpb"),
    ],
)
def test_each_way_to_fail_is_told_apart(
    tmp_path: Path, light: dict[str, Any], text: str, kind: str, reason: str
) -> None:
    outcome = score(with_train(tmp_path / "repo", text), light)
    assert outcome.returncode == 1
    last = outcome.last
    assert (last["event"], last["class"]) == ("failed", kind)
    assert reason in last["reason"]
    if last["traceback"]:
        assert len(last["traceback"]) <= 2000
        assert 'File "train.py", line' in last["traceback"]
        assert "inside" not in last["traceback"] and str(tmp_path) not in last["traceback"]


@pytest.mark.long
def test_what_hangs_is_ended_with_everything_it_started(
    tmp_path: Path, temporary: Path, light: dict[str, Any]
) -> None:
    marker = f"nocturne-test-{os.getpid()}-hang"
    repo = with_train(tmp_path / "repo", family(marker))
    last = score(repo, {**light, "startup_seconds": 3}, "--out", str(tmp_path / "out")).last
    assert (last["event"], last["class"]) == ("failed", "timeout")
    assert processes_with(marker) == []
    assert list(temporary.iterdir()) == []


@pytest.mark.slow  # as what hangs, above
def test_a_training_without_end_is_ended(tmp_path: Path) -> None:
    repo = with_train(tmp_path / "repo", TINY + "import time\nwhile True: time.sleep(1)\n")
    last = score(repo, {**STEPS, "timeout_seconds": 1}).last
    assert (last["event"], last["class"]) == ("failed", "timeout")
    assert "still training" in last["reason"]


@pytest.mark.long
def test_a_candidate_that_goes_on_after_its_evaluation_is_refused(tmp_path: Path) -> None:
    repo = with_train(
        tmp_path / "repo", TINY + "evaluate_bpb(model, tokenizer, 4)\nimport time\ntime.sleep(300)\n"
    )
    last = score(repo, {**STEPS, "evaluation_seconds": 3}).last
    assert (last["event"], last["class"]) == ("failed", "refused")
    assert "went on" in last["reason"]


@pytest.mark.long
def test_too_much_memory_ends_a_run(tmp_path: Path, light: dict[str, Any]) -> None:
    repo = with_train(tmp_path / "repo", "import time\nx = bytearray(b'x') * (400 << 20)\ntime.sleep(60)\n")
    last = score(repo, {**light, "memory_mb": 300}).last
    assert (last["event"], last["class"]) == ("failed", "out_of_memory")


@pytest.mark.long
@pytest.mark.parametrize(
    "message",
    [
        "b'x' * 64",
        pytest.param("b'NCT2' + bytes([99]) + bytes(11)", marks=pytest.mark.slow),
        pytest.param("b'NCT2' + bytes([5, 0, 0, 0]) + b'\\xff' * 8", marks=pytest.mark.slow),
    ],
)
def test_messages_that_are_none_are_refused(tmp_path: Path, light: dict[str, Any], message: str) -> None:
    text = (
        "import gc, time\n"
        "shim = next(each for each in gc.get_objects() if type(each).__name__ == 'Shim')\n"
        f"shim.scorer.socket.sendall({message})\ntime.sleep(300)\n"
    )
    last = score(with_train(tmp_path / "repo", text), light).last
    assert (last["event"], last["class"]) == ("failed", "refused")
    assert "no message" in last["reason"]


@pytest.mark.long
def test_a_closed_socket_does_not_hide_a_candidate_from_its_clock(
    tmp_path: Path, light: dict[str, Any]
) -> None:
    text = "import os, time\nos.closerange(3, 100)\ntime.sleep(300)\n"
    last = score(with_train(tmp_path / "repo", text), {**light, "startup_seconds": 2}).last
    assert (last["event"], last["class"]) == ("failed", "timeout")


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_ends_everything_and_cleans_up(
    tmp_path: Path, temporary: Path, light: dict[str, Any], number: signal.Signals
) -> None:
    marker = f"nocturne-test-{os.getpid()}-signal-{number}"
    process = start_score(with_train(tmp_path / "repo", family(marker)), light)
    # One at least: the one that left its parents may die with the one in between, as it should.
    there = eventually(lambda: bool(processes_with(marker)) or process.poll() is not None, seconds=90)
    assert there and process.poll() is None, process.communicate()
    process.send_signal(number)
    assert process.wait(timeout=20) == 130
    process.communicate()
    assert processes_with(marker) == []
    assert list(temporary.iterdir()) == []


@pytest.mark.long
def test_killing_the_evaluator_or_who_started_it_leaves_no_candidate(
    tmp_path: Path, temporary: Path, light: dict[str, Any]
) -> None:
    text = "import os, time\nos.fork()\ntime.sleep(300)\n"  # both have the shim in their command line
    repo = with_train(tmp_path / "repo", text)

    def candidates() -> list[int]:
        """Ours alone: other tests run candidates at the same time, of other repositories."""
        return processes_with(f"launch.py\0-\0shim\0train.py\0{repo}\0", program="python")

    process = start_score(repo, light)
    assert eventually(lambda: len(candidates()) == 2, seconds=90)
    process.kill()
    process.communicate(timeout=20)
    assert eventually(lambda: not candidates())

    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys; subprocess.run(sys.argv[1:])",
            *COMMAND,
            "score",
            str(repo),
            "--settings",
            str(repo.with_suffix(".json")),
            "--die-with-parent",
        ],
        stdout=subprocess.DEVNULL,
    )
    assert eventually(lambda: len(candidates()) == 2, seconds=90)
    parent.kill()
    parent.wait(timeout=20)
    assert eventually(lambda: not candidates())

    # Killed like that, it left its folder behind; the next run sweeps it once it is old enough.
    left = list(temporary.glob("nocturne-run-*"))
    assert len(left) == 2
    os.utime(left[0], (time.time() - 3600,) * 2)
    assert score(with_train(tmp_path / "next", "print()\n"), light).returncode == 1
    assert list(temporary.glob("nocturne-run-*")) == left[1:]


@pytest.mark.long
def test_a_reader_that_goes_away_ends_the_run(tmp_path: Path, temporary: Path) -> None:
    process = start_score(starter(tmp_path / "repo"), {**STEPS, "budget": {"kind": "wall", "amount": 100}})
    assert process.stdout is not None and process.stderr is not None
    assert b"started" in process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 130
    assert process.stderr.read() == b""
    process.stderr.close()
    assert list(temporary.iterdir()) == []
