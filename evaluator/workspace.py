"""The private copy of a tree that a candidate runs in, and its removal however a run ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import UserError

_PREFIX = "nocturne-run-"
# Caches, environments, and (where the temporary folder is inside the repository) our own copies.
_NOT_COPIED = shutil.ignore_patterns(
    ".git", "__pycache__", ".venv", "venv", "node_modules", ".mypy_cache", f"{_PREFIX}*"
)
_STALE_SECONDS = 60.0


@dataclass(frozen=True)
class Workspace:
    """`tree` is the candidate's copy of the repository, `scratch` its home and temporary folder."""

    tree: Path
    scratch: Path

    def folder(self, name: str) -> Path:
        """Make and return another scratch folder, removed with the rest."""
        made = self.scratch.with_name(name)
        made.mkdir()
        return made


@contextlib.contextmanager
def private_copy(repo: Path, train: Path | None) -> Iterator[Workspace]:
    """Copy `repo` into a new temporary folder, with `train` in place of its train.py where given; remove it
    at the end. Raises `UserError` where the repository can't be read."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        # Held while we live, even if we are killed: what is not locked any more may be swept.
        fcntl.flock(lock, fcntl.LOCK_EX)
        space = Workspace(folder / "tree", folder / "scratch")
        try:
            shutil.copytree(repo, space.tree, symlinks=True, ignore=_NOT_COPIED)
            if train is not None:
                (space.tree / "train.py").unlink(missing_ok=True)
                shutil.copyfile(train, space.tree / "train.py")
        except shutil.Error as error:
            raise UserError(f"{repo}: can't be copied: {error.args[0][0][-1]}") from None
        space.scratch.mkdir()
        yield space
    finally:
        _remove(folder)
        os.close(lock)


def _sweep() -> None:
    """Remove what runs that were killed left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid != os.getuid() or time.time() - folder.stat().st_mtime < _STALE_SECONDS:
                continue
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(folder)
            finally:
                os.close(lock)


def _remove(folder: Path) -> None:
    """Remove a folder whatever permissions the candidate left in it."""
    for root, names, _ in os.walk(folder):
        for name in names:
            path = Path(root, name)
            if not path.is_symlink():
                with contextlib.suppress(OSError):
                    path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
