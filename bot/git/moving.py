"""Moves refs as git does it in files: each is locked, compared, and put in its place whole.

https://git-scm.com/docs/gitrepository-layout and git's refs/files-backend.c: `REF.lock` is the lock of a ref, and its
next content; a deletion takes it out of `packed-refs` too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.base.whole import sync_folder
from bot.errors import UserError
from bot.git.command import Locked, raise_for_disk

_NOWHERE = "0" * 40
Moves = Mapping[str, tuple[str | None, str | None]]  # {full name: (where it is now, where to)}


class Taken(Exception):
    """A ref is not where it was expected: nothing was moved."""


def move_refs(folder: Path, moves: Moves, look: Callable[[str], str | None], message: str) -> None:
    """Move the refs of a git folder, all or none; `look` says where one is. None is nowhere.

    Raises `Taken` if one of them is elsewhere, `Locked` if another process holds one, and `UserError` for a full disk,
    a missing permission, or another ref in the way.
    """
    try:
        with _locked(folder, sorted(moves)) as locks:
            for name, (before, _) in moves.items():
                if look(name) != before:
                    raise Taken(f"{name} is not at {before}")
            for name, (_, new) in moves.items():
                if new is not None:
                    _write(locks[name], f"{new}\n".encode())
            gone = {name for name, (_, new) in moves.items() if new is None}
            if gone:
                _unpack(folder, gone)
            for name, (before, new) in moves.items():
                if new is None:
                    (folder / name).unlink(missing_ok=True)
                    (folder / "logs" / name).unlink(missing_ok=True)
                else:
                    _give_way(folder / name)
                    _give_way(folder / "logs" / name)
                    _log(folder, name, before or _NOWHERE, new, message)
                    locks.pop(name).replace(folder / name)
                sync_folder((folder / name).parent)
    except OSError as error:
        raise_for_disk(error)
        raise


def in_the_way(there: str, wanted: str, where: str | Path) -> UserError:
    """Return the error that says why a ref can't be made."""
    return UserError(
        f"the remote {where} has {there}, so {wanted} cannot be made there: rename or delete that branch"
    )


@contextmanager
def _locked(folder: Path, names: Sequence[str]) -> Iterator[dict[str, Path]]:
    """Hold the lock files of refs, or of `packed-refs`; whoever puts one in its place takes it out of these."""
    held: dict[str, Path] = {}
    try:
        for name in names:
            lock = folder / f"{name}.lock"
            try:
                lock.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            except (FileExistsError, NotADirectoryError):
                raise Locked(f"{lock} is there: another process holds {name}") from None
            held[name] = lock
        yield held
    finally:
        for lock in held.values():
            lock.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _unpack(folder: Path, names: set[str]) -> None:
    """Take refs out of `packed-refs`; a line that begins with ^ belongs to the one before it."""
    packed = folder / "packed-refs"
    with suppress(FileNotFoundError):
        if not any(name.encode() in packed.read_bytes() for name in names):
            return
        with _locked(folder, ["packed-refs"]) as locks:
            left: list[bytes] = []
            drop = False
            for line in packed.read_bytes().splitlines(keepends=True):
                if not line.startswith(b"^"):
                    drop = line.rstrip(b"\n").partition(b" ")[2].decode(errors="surrogateescape") in names
                if not drop:
                    left.append(line)
            _write(locks["packed-refs"], b"".join(left))
            locks.pop("packed-refs").replace(packed)
            sync_folder(folder)


def _log(folder: Path, name: str, before: str, new: str, message: str) -> None:
    log = folder / "logs" / name
    log.parent.mkdir(parents=True, exist_ok=True)
    who = f"Nocturne <nocturne@users.noreply.github.com> {int(time.time())} +0000"
    with log.open("a") as file:
        file.write(f"{before} {new} {who}\t{message}\n")


def _give_way(path: Path) -> None:
    """Remove folders without files where a file is to be: what refs that are gone left behind."""
    if path.is_dir():
        for below in sorted(path.rglob("*"), reverse=True):
            below.rmdir()
        path.rmdir()
