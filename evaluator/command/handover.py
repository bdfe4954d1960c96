"""What a candidate left in its output folder, copied out of reach of it once all its processes have ended.

The folder may lie in a jail that is gone: it is known by an open descriptor, and each step below it is taken
without following links. What arrives is data: plain files and folders, no link, device, socket or pipe, and
no more than was agreed.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import CandidateFailed
from evaluator.log import legible

MOST_ENTRIES = 10_000
MOST_LEVELS = 16
_PIECE = 1 << 20

_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


@dataclass
class _Left:
    """How much more may be copied, of the bytes that were agreed."""

    agreed: int
    size: int
    entries: int


def copy_out(source: int, target: Path, most_bytes: int) -> None:
    """Copy what the open folder `source` holds into the new folder `target`, readable and nothing else.

    Raises `CandidateFailed` (refused) for anything that is no plain file or folder, and for too much.
    """
    target.mkdir()
    _copy_folder(source, target, "", _Left(most_bytes, most_bytes, MOST_ENTRIES))


def _copy_folder(source: int, target: Path, place: str, left: _Left) -> None:
    with os.scandir(source) as entries:
        for entry in entries:
            path = f"{place}{entry.name}"
            left.entries -= 1
            if left.entries < 0:
                raise _refused(f"it holds more than {MOST_ENTRIES:,} files and folders", "limits")
            if min(entry.name) < " ":  # a script that lists names would print lines of the candidate's
                raise _refused(f"the name of {_shown(path)} holds control characters")
            kind = os.stat(entry.name, dir_fd=source, follow_symlinks=False)
            if not stat.S_ISREG(kind.st_mode) and not stat.S_ISDIR(kind.st_mode):
                what = next((what for fits, what in _KINDS if fits(kind.st_mode)), "no file")
                raise _refused(f"{_shown(path)} is {what}; only plain files and folders are taken")
            handle = _open(entry.name, source, path)
            try:
                if stat.S_ISDIR(kind.st_mode):
                    if path.count("/") >= MOST_LEVELS:
                        raise _refused(f"{_shown(path)} lies more than {MOST_LEVELS} folders deep")
                    (target / entry.name).mkdir()
                    _copy_folder(handle, target / entry.name, f"{path}/", left)
                else:
                    _copy_file(handle, target / entry.name, path, left)
            finally:
                os.close(handle)
    target.chmod(0o555)


def _copy_file(source: int, target: Path, path: str, left: _Left) -> None:
    found = os.fstat(source)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise _refused(f"{_shown(path)} is a hard link; only plain files and folders are taken")
    if found.st_size > left.size:  # asked first: a file with holes is larger than what it takes
        raise _too_large(left.agreed)
    with target.open("xb") as file:
        while data := os.read(source, _PIECE):
            left.size -= len(data)
            if left.size < 0:
                raise _too_large(left.agreed)
            file.write(data)
    target.chmod(0o444)


def _open(name: str, folder: int, path: str) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise _refused(f"{_shown(path)} can't be read ({error.strerror})") from None


def _too_large(agreed: int) -> CandidateFailed:
    return _refused(f"it holds more than {agreed / 2**20:,.0f} MiB (`scratch_mb`)", "limits")


def _refused(why: str, defence: str = "jail") -> CandidateFailed:
    reason = f"what it left in its output folder can't be handed over: {why}"
    return CandidateFailed("refused", reason, defence=defence)


def _shown(path: str) -> str:
    return legible(os.fsencode(path).decode(errors="replace"))[:200]
