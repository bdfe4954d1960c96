"""Two tasks without a language model, as a user would commit them; `copy` lays one out as a folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

PRIMES: dict[str, Any] = {
    "kind": "command",
    "call": ["solution.py"],
    "command": ["python", "bench.py"],
    "metric": {"name": "ratio"},
    "timeout_seconds": 60,
}
NAMES: dict[str, Any] = {
    "kind": "command",
    "produce": ["python", "train.py"],
    "command": ["python", "score.py"],
    "metric": {"name": "accuracy", "direction": "maximize"},
    "data": ["exam"],
    "threads": 1,
    "timeout_seconds": 60,
}


def copy(name: str, folder: Path) -> Path:
    """Lay out an example; its prepare.py, where it has one, is run once, as its user would before committing."""
    shutil.copytree(HERE / name, folder, ignore=shutil.ignore_patterns("__pycache__"))
    if (folder / "prepare.py").exists():
        subprocess.run([sys.executable, "prepare.py"], cwd=folder, check=True, timeout=60)
    return folder
