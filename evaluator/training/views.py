"""What each process of a run sees: the candidate, the audit, and the repository's own prepare.py."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from evaluator.jail.python import python_paths
from evaluator.jail.view import View

INSIDE = Path(__file__).resolve().parents[1] / "inside"


def program(name: str, *arguments: object) -> list[str]:
    """Return the words that start one of our own programs, after the interpreter."""
    return ["-s", "-B", str(INSIDE / "launch.py"), name, *(str(each) for each in arguments)]


def cache_home() -> Path:
    """Return the user's cache folder, as the XDG specification finds it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())


def has_gpu() -> bool:
    """Whether there is a GPU that PyTorch may use."""
    return any(Path(node).exists() for node in ("/dev/nvidiactl", "/dev/kfd"))


def candidate_view(tree: Path, scratch: Path, scratch_mb: float, data: Sequence[str]) -> View:
    """Return what a candidate sees: the system, Python, our programs and its tree, but no `data` in it."""
    return View(
        read_only=(*python_paths(), INSIDE, tree),
        scratch=scratch,
        scratch_bytes=int(scratch_mb * 2**20),
        hidden=tuple(tree / Path(each).expanduser() for each in data),
        devices=True,
    )


def elsewhere(view: View, scratch: Path) -> View:
    """Return the same view with another scratch folder."""
    return dataclasses.replace(view, scratch=scratch)


def data_view(
    tree: Path, scratch: Path, scratch_mb: float, folders: Sequence[str], writable: Sequence[Path] = ()
) -> View:
    """Return what prepare.py sees: its data too, but nothing of a candidate's but the tree it lies in."""
    # Not everybody who prepares data heeds the XDG specification.
    data = (
        cache_home(),
        Path("~/.cache").expanduser(),
        *(tree / Path(each).expanduser() for each in folders),
    )
    return View(
        read_only=(*python_paths(), INSIDE, tree, *data),
        scratch=scratch,
        scratch_bytes=int(scratch_mb * 2**20),
        writable=tuple(writable),
        devices=True,
    )


def data_environment() -> dict[str, str]:
    """Return the environment in which prepare.py runs: where its data is, and no credentials."""
    kept = ("PATH", "LANG", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "HF_HOME", "TZ")
    values = {name: os.environ[name] for name in kept if name in os.environ}
    return values | {
        "HOME": str(Path("~").expanduser()),
        "XDG_CACHE_HOME": str(cache_home()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }
