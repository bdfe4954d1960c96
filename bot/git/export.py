"""Writes the files of a commit to disk byte for byte, as git holds them.

A checkout would not do: attributes of the tree and settings of the user rewrite line ends, expand
keywords, change encodings and start filter programs on the way. Here none of them is asked.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import UserError
from bot.git.command import Damaged
from bot.git.objects import Runner, read_objects

_AT_ONCE = 32 * 2**20  # bytes: what is held in memory, apart from a single larger file
_LINK = "120000"
_SUBMODULE = "160000"


@dataclass(frozen=True)
class _File:
    path: str
    mode: str
    sha: str
    size: int


def export_tree(run: Runner, commit: str, folder: Path) -> None:
    """Write the tree of `commit` into the empty `folder`; see `Git.export`."""
    files = _files(run, commit)
    for file in files:
        if any(part in ("", ".", "..") or part.lower() == ".git" for part in file.path.split("/")):
            raise UserError(
                f"commit {commit[:12]} holds {file.path!r}, which must not be checked out: remove it"
            )
    try:
        # Links last: so nothing is ever written through one, whatever a hand-made tree holds.
        for group in _groups([file for file in files if file.mode not in (_LINK, _SUBMODULE)]):
            for file, content in _read(run, group):
                _write(_place(folder, file), content, executable=file.mode == "100755")
        for group in _groups([file for file in files if file.mode == _LINK]):
            for file, content in _read(run, group):
                place = _place(folder, file)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(os.fsdecode(content))
        for file in files:
            if file.mode == _SUBMODULE:  # an empty folder, as in a clone without submodules
                _place(folder, file).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise _as_user_error(error, commit, folder) from None


def _files(run: Runner, commit: str) -> list[_File]:
    said = run(["ls-tree", "-r", "-l", "-z", "--full-tree", f"{commit}^{{tree}}"], None)
    files = []
    for line in said.decode(errors="surrogateescape").split("\0")[:-1]:
        meta, _, path = line.partition("\t")
        mode, _, sha, size = meta.split()
        files.append(_File(path, mode, sha, int(size) if size.isdigit() else 0))
    return files


def _groups(files: Sequence[_File]) -> Iterator[list[_File]]:
    """Yield the files in groups that fit into memory together."""
    group: list[_File] = []
    total = 0
    for file in files:
        if group and total + file.size > _AT_ONCE:
            yield group
            group, total = [], 0
        group.append(file)
        total += file.size
    if group:
        yield group


def _read(run: Runner, group: Sequence[_File]) -> Iterator[tuple[_File, bytes]]:
    contents = read_objects(run, [file.sha for file in group], "blob")
    for file, content in zip(group, contents, strict=True):
        if content is None:
            raise Damaged(f"object {file.sha} ({file.path}) is missing")
        yield file, content


def _place(folder: Path, file: _File) -> Path:
    return folder / os.fsdecode(file.path.encode(errors="surrogateescape"))


def _write(place: Path, content: bytes, *, executable: bool) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(place, flags, 0o777 if executable else 0o666), "wb") as file:
        file.write(content)


def _as_user_error(error: OSError | ValueError, commit: str, folder: Path) -> UserError:
    what = f"cannot check {commit[:12]} out into {folder}"
    if not isinstance(error, OSError):
        return UserError(f"{what}: {error}: remove that file from the commit")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(folder).free / 1e6
        return UserError(
            f"{what}: {error.strerror} ({free:.1f} MB are free there): free some space and run again"
        )
    which = f"{error.filename!r}: " if error.filename else ""
    return UserError(f"{what}: {which}{error.strerror}: mend the rights of that folder, or rename the file")
