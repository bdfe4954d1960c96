"""What each process of a run sees: the candidate, the audit, and the repository's own prepare.py."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from evaluator.cache import cache_home
from evaluator.interpreter.task_python import TaskPython
from evaluator.jail.view import View

__all__ = ["cache_home", "candidate_view", "data_environment", "data_view", "elsewhere", "has_gpu"]


def has_gpu() -> bool:
    """Whether there is a GPU that PyTorch may use."""
    return any(Path(node).exists() for node in ("/dev/nvidiactl", "/dev/kfd"))


def candidate_view(
    python: TaskPython, tree: Path, scratch: Path, scratch_mb: float, data: Sequence[str]
) -> View:
    """Return what a candidate sees: the system, Python, our programs and its tree, but no `data` in it."""
    return View(
        read_only=(*python.shown, tree),
        scratch=scratch,
        scratch_bytes=int(scratch_mb * 2**20),
        hidden=tuple(tree / Path(each).expanduser() for each in data),
        devices=True,
    )


def elsewhere(view: View, scratch: Path) -> View:
    """Return the same view with another scratch folder."""
    return dataclasses.replace(view, scratch=scratch)


def data_view(
    python: TaskPython,
    tree: Path,
    scratch: Path,
    scratch_mb: float,
    folders: Sequence[str],
    writable: Sequence[Path] = (),
) -> View:
    """Return what prepare.py sees: its data too, but nothing of a candidate's but the tree it lies in."""
    # Not everybody who prepares data heeds the XDG specification.
    data = (
        cache_home(),
        Path("~/.cache").expanduser(),
        *(tree / Path(each).expanduser() for each in folders),
    )
    return View(
        read_only=(*python.shown, tree, *data),
        scratch=scratch,
        scratch_bytes=int(scratch_mb * 2**20),
        writable=tuple(writable),
        devices=True,
    )


def data_environment(python: TaskPython, tree: Path) -> dict[str, str]:
    """Return the environment in which prepare.py runs: where its data is, and no credentials."""
    kept = ("LANG", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "HF_HOME", "TZ")
    values = {name: os.environ[name] for name in kept if name in os.environ}
    return (
        values
        | python.variables(tree)
        | {
            "PATH": python.search_path(os.environ.get("PATH")),
            "HOME": str(Path("~").expanduser()),
            "XDG_CACHE_HOME": str(cache_home()),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
        }
    )
