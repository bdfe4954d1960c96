"""Writes the small repositories in which candidates are tried, and measures one without any evaluator.

A candidate is a file in this folder or in `cheats`. To stay short, it imports what many have in common
(`from small import ...`); its train.py is the file with these parts written out in place, because a train.py
stands alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from evaluator import starter_files

HERE = Path(__file__).parent
CHEATS = HERE.parent / "cheats"
PARTS = {
    "small": HERE / "small.py",
    "library": CHEATS / "library.py",
    "remembering": CHEATS / "remembering.py",
    "cold": CHEATS / "cold.py",
    "whispering": CHEATS / "whispering.py",
    "peeking": CHEATS / "peeking.py",
}

AMOUNT = 10
BUDGET = {"kind": "steps", "amount": AMOUNT}
STEPS: dict[str, object] = {"budget": BUDGET, "threads": 1}
EVAL_TOKENS = 4096  # 32 rows: enough for the audit, and quick

# A score with the same steps is the same but for the order in which float32 sums are made.
SAME = 1e-6

_PART = re.compile(rf"(?m)^from ({'|'.join(PARTS)}) import .*\n")
_TOLD = re.compile(r"(?m)^([A-Z_]+) = .*says the test")


def instead(line: str) -> Callable[[re.Match[str]], str]:
    """Return what puts `line` in the place of what a pattern found, backslashes included."""
    return lambda _: line


def train_file(source: Path, told: Mapping[str, object] | None = None) -> str:
    """Return the train.py of a candidate: its parts written out, and the constants that the test tells it."""
    written: set[str] = set()

    def write_out(found: re.Match[str]) -> str:
        if found[1] in written:
            return ""
        written.add(found[1])
        return _PART.sub(write_out, PARTS[found[1]].read_text())

    text = _PART.sub(write_out, source.read_text())
    for name in _TOLD.findall(text):
        assert told is not None and name in told, f"{source}: {name}"
        text = re.sub(rf"(?m)^{name} = .*$", instead(f"{name} = {told[name]!r}"), text)
    return text


def repository(folder: Path, train: str) -> Path:
    """Write the bundled task with this train.py and a short exam into `folder`."""
    starter_files.write(folder, force=False)
    shorten(folder / "prepare.py")
    (folder / "train.py").write_text(train)
    return folder


def shorten(prepare: Path) -> None:
    """Give the bundled prepare.py a short exam, as it has for everybody who runs it; the rows are exported once."""
    text, count = re.subn(r"(?m)^EVAL_TOKENS = \d+", f"EVAL_TOKENS = {EVAL_TOKENS}", prepare.read_text())
    assert count == 1
    prepare.write_text(text)


def by_itself(
    repo: Path, budget: Mapping[str, object] = BUDGET, env: Mapping[str, str] | None = None
) -> float:
    """Run `python train.py` in `repo`, without an evaluator, and return the last score that it prints."""
    values = {
        "NOCTURNE_BUDGET": str(budget["kind"]),
        "NOCTURNE_TIME_BUDGET": str(budget["amount"]),
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-B", "train.py"],
        cwd=repo,
        env={**os.environ, **(env or {}), **values},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=200,
        check=True,
    )
    found = re.findall(r"(?m)^val_bpb:\s+(\S+)$", done.stdout)
    assert found, done.stdout[-2000:]
    return float(found[-1])
