"""`make check-gpu` on a machine without a GPU: it says so, runs what makes sense, and names what is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.gpu import check_gpu

SCRIPT = Path(check_gpu.__file__)


def _run(*words: str, python: tuple[str, ...] = (sys.executable,), timeout: float = 500) -> tuple[int, str]:
    done = subprocess.run(
        [*python, str(SCRIPT), *words], env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}, capture_output=True,
        text=True, timeout=timeout, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_python_without_torch_is_told_in_one_line() -> None:
    code, said = _run(python=(sys.executable, "-S"))
    assert code == 2
    assert "has no torch: make check-gpu PYTHON=" in said
    assert len(said.splitlines()) == 1


def test_every_check_says_what_it_is_for() -> None:
    assert {check.__name__ for check in check_gpu.CHECKS} >= {
        "jail", "starter", "compiled", "accumulation", "audit", "peak", "logits", "reader", "reference",
    }  # fmt: skip
    assert all(check.__doc__ for check in check_gpu.CHECKS)


def test_it_imports_nothing_that_a_machine_with_torch_may_lack() -> None:
    names = set(re.findall(r"^(?:import|from) (\w+)", SCRIPT.read_text().partition("_PREPARE")[0], re.M))
    assert names <= set(sys.stdlib_module_names)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_without_a_gpu_it_says_so_and_what_it_did_not_try() -> None:
    tried = ("jail", "audit", "peak", "reader", "triton")
    code, said = _run(*(word for name in tried for word in ("--only", name)))
    assert code == 0, said
    rows = {line[10:].split()[0]: line[:9].strip() for line in said.splitlines()[1:-1]}
    assert rows == {
        "jail": "ok", "audit": "not tried", "peak": "not tried", "reader": "not tried", "triton": "not tried",
    }  # fmt: skip
    assert said.startswith("no GPU that torch can use")
    assert "nothing was measured on a GPU" in said.splitlines()[-1]


@pytest.mark.slow  # it is run by hand, and what it says of a run that is well is shown above
@pytest.mark.timeout(600)
def test_a_run_that_fails_is_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A task that dies is FAIL with its reason; a setting that this evaluator does not know is `not tried`."""
    machine = check_gpu.Machine("", 0.0, tmp_path, time.monotonic() + 400, 400, False)

    def broken(machine: check_gpu.Machine) -> str:
        repo = machine.repository("broken", "raise RuntimeError('no such luck')\n")
        return str(machine.score(repo)["score"])

    def unknown(machine: check_gpu.Machine) -> str:
        repo = machine.repository("broken", "")
        return str(machine.score(repo, settings={"no_such_key": 1})["score"])

    assert check_gpu._tried(broken, machine) == "FAIL"
    assert check_gpu._tried(unknown, machine) == "not tried"
    said = capsys.readouterr().out
    assert "no such luck" in said
    assert "this checkout does not know it" in said
