"""The processor cores that a run with few threads is bound to, chosen so that runs side by side get different ones."""

from __future__ import annotations

import fcntl
import os
from functools import lru_cache
from pathlib import Path

from evaluator.cache import cache_home

_locks: dict[int, int] = {}  # by core; they last as long as this process


@lru_cache(maxsize=8)
def claim(count: int) -> frozenset[int] | None:
    """Return `count` cores for the processes of this run, None if that is all there are.

    Cores that no other run of this user has claimed come first; if there are too few, some are shared. The same
    process gets the same ones each time.
    """
    there = sorted(os.sched_getaffinity(0))
    if count >= len(there):
        return None
    first = os.getpid() % len(there)  # without locks, and among shared ones, runs spread all the same
    order = there[first:] + there[:first]
    chosen: list[int] = []
    for core in order:
        if len(chosen) < count and _lock(core):
            chosen.append(core)
    return frozenset([*chosen, *(core for core in order if core not in chosen)][:count])


def _folder() -> Path | None:
    """Return the folder of the locks, None if this machine has none for us."""
    folder = cache_home() / "nocturne" / "cores"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


def _lock(core: int) -> bool:
    folder = _folder()
    if folder is None:
        return False
    try:
        handle = os.open(folder / str(core), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return False
    _locks[core] = handle
    return True
