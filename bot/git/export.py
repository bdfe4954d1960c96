"""Writes the files of a commit to disk byte for byte, as git holds them.

A checkout would not do: attributes of the tree and settings of the user rewrite line ends, expand
keywords, change encodings and start filter programs on the way. Here none of them is asked.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from bot.errors import UserError
from bot.git.objects import TreeEntry, walk_tree
from bot.git.store import Store

_LINK = "120000"
_SUBMODULE = "160000"


def export_tree(store: Store, tree: str, commit: str, folder: Path) -> None:
    """Write the `tree` of `commit` into the empty `folder`; see `Git.export`."""
    files = walk_tree(store, tree)
    for file in files:
        if any(part in ("", ".", "..") or part.lower() == ".git" for part in file.path.split("/")):
            raise UserError(
                f"commit {commit[:12]} holds {file.path!r}, which must not be checked out: remove it"
            )
    try:
        # Links last: so nothing is ever written through one, whatever a hand-made tree holds.
        for file in files:
            if file.mode not in (_LINK, _SUBMODULE):
                _write(_place(folder, file), store.read(file.sha, "blob"), executable=file.mode == "100755")
        for file in files:
            if file.mode == _LINK:
                place = _place(folder, file)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(os.fsdecode(store.read(file.sha, "blob")))
        for file in files:
            if file.mode == _SUBMODULE:  # an empty folder, as in a clone without submodules
                _place(folder, file).mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise _as_user_error(error, commit, folder) from None


def _place(folder: Path, file: TreeEntry) -> Path:
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
    return UserError(f"{what}: {which}{error.strerror}: fix the rights of that folder, or rename the file")
