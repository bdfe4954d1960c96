"""A lock among the processes of one machine, freed by the kernel when its holder dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.git.command import raise_for_disk


@contextmanager
def alone(path: Path, patience: float) -> Iterator[None]:
    """Hold the lock `path`; go on without it after `patience` seconds, for correctness must not hang on it.

    Raises `UserError` if the file cannot be made.
    """
    try:
        path.parent.mkdir(exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise_for_disk(error)
        raise
    try:
        until = time.monotonic() + patience
        while not try_lock(handle) and time.monotonic() < until:
            time.sleep(0.002)
        yield
    finally:
        os.close(handle)


def try_lock(handle: int) -> bool:
    """Lock an open file until it is closed; return False if another process holds it."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks
    return True
