"""The scorer's own folder: the secret key that decides the cuts, and the losses of runs at them.

Nothing of it is ever told, and no jail sees it: whoever calls the evaluator names it by `--cuts`, and keeps it out of
the repository's tree.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from evaluator.cuts.judging import Losses
from evaluator.errors import UserError
from evaluator.whole import written

KEY_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MOST_KEPT = 500


@dataclass(frozen=True)
class Keeping:
    """The `folder`, the name of this `run`, and the incumbent's runs `against` which it is to hold; `since` are those
    of what the lineage began with, for cheats that are small in each step."""

    folder: Path
    run: str
    against: tuple[str, ...] = ()
    since: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (self.run, *self.against, *self.since):
            if not _NAME.fullmatch(name):
                raise UserError(
                    f"--run, --against, --since: {name!r} is no name of letters, digits, dots and dashes"
                )

    def key(self) -> bytes:
        """Return the key, drawn at the first call for this folder; raise `UserError` if there can be none."""
        path = self.folder / "key"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                aside = self.folder / f".key-{secrets.token_hex(8)}"
                with _private(aside) as file:
                    file.write(secrets.token_bytes(KEY_BYTES))
                    file.flush()
                    os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):  # another run was faster: its key is as good
                    os.link(aside, path)
                aside.unlink()
            key = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path}: no key for the cuts there ({error.strerror}): fix the rights") from None
        if len(key) != KEY_BYTES:
            raise UserError(f"{path}: damaged: remove the folder {self.folder}, and new cuts are drawn")
        return key

    def others(self, names: Sequence[str], mark: str, count: int) -> list[Losses]:
        """Return losses at these `count` cuts, of those of the runs of these `names` that have left any here."""
        found = (self._read(name, mark, count) for name in names if name != self.run)
        return [each for each in found if each is not None]

    def keep(self, mark: str, mine: Losses) -> None:
        """Leave this run's losses for those that come; raise `UserError` if they can't be written."""
        path = self._path(self.run)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with written(path) as file:
                np.savez(file, mark=np.array(mark), score=np.array(mine.score), nats=mine.nats)
            self._prune(path.parent)
        except OSError as error:
            raise UserError(f"{path}: can't be written ({error.strerror}): free space there") from None

    def _path(self, name: str) -> Path:
        return self.folder / "losses" / f"{name}.npz"

    def _read(self, name: str, mark: str, count: int) -> Losses | None:
        path = self._path(name)
        try:
            with np.load(path, allow_pickle=False) as found:
                if str(found["mark"]) != mark or found["nats"].shape != (count,):
                    return None
                losses = Losses(float(found["score"]), found["nats"].astype(np.float32))
            os.utime(path)  # what is in use is kept
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return losses

    def _prune(self, folder: Path) -> None:
        """Keep what was used last."""
        kept: Iterable[Path] = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime)
        for old in list(kept)[:-_MOST_KEPT]:
            old.unlink(missing_ok=True)


def _private(path: Path) -> BinaryIO:
    """Open a new file that nobody else may read, to write it."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")
