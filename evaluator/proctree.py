"""Processes and everything they start: what they use, how to end them all, and dying with our own parent.

Linux only (`/proc`, `prctl`). Orphans of a candidate come to us, because we are their subreaper, so a
candidate's processes are found however they were forked.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import UserError

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_LIBC = ctypes.CDLL(None, use_errno=True)
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """CPU seconds so far (dead and waited-for children included) and resident memory in MiB now."""

    cpu_seconds: float
    memory_mb: float


@dataclass(frozen=True)
class _Stat:
    pid: int
    parent: int
    state: str
    cpu_seconds: float
    memory_mb: float


def require_linux() -> None:
    """Raise `UserError` where processes can't be followed."""
    if not Path("/proc/self/stat").exists():
        raise UserError(
            "scoring needs Linux with /proc: there is no other way to measure and end a candidate"
        )


def become_subreaper() -> None:
    """Make orphaned descendants our children (prctl(2))."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Have the kernel end this process when the thread that started it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def in_new_process() -> None:
    """What runs between fork and exec of a candidate: it dies with us, and takes signals as usual."""
    die_with_parent()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def children_cpu_seconds() -> float:
    """Return the CPU seconds of all children that we have waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def usage(main: int) -> Usage:
    """Return what `main` and all our other descendants use; orphans that ended are waited for on the way."""
    gone = children_cpu_seconds()
    tree = list(_descendants())
    for each in tree:
        if each.state == "Z" and each.pid != main and each.parent == os.getpid():
            _reap(each.pid)
    return Usage(gone + sum(each.cpu_seconds for each in tree), sum(each.memory_mb for each in tree))


def end_all(main: int, patience: float = 10.0) -> None:
    """Kill every descendant and wait for all but `main`, which its owner waits for. Returns after `patience`
    seconds at the latest, even where one is stuck inside the kernel."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        alive = [each for each in _descendants() if each.pid != main or each.state != "Z"]
        if not alive:
            return
        for each in alive:
            if each.state != "Z":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each.pid, signal.SIGKILL)
            elif each.parent == os.getpid():
                _reap(each.pid)
        time.sleep(0.005)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _descendants() -> Iterator[_Stat]:
    """Yield all processes below us, parents before children."""
    children: dict[int, list[_Stat]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            stat = _read_stat(entry.name)
            if stat is not None:
                children.setdefault(stat.parent, []).append(stat)
    waiting = [os.getpid()]
    while waiting:
        for stat in children.get(waiting.pop(), ()):
            yield stat
            waiting.append(stat.pid)


def _read_stat(pid: str) -> _Stat | None:
    """Read /proc/PID/stat (proc(5)); None where the process has ended. The name may hold any character."""
    try:
        text = Path("/proc", pid, "stat").read_bytes()
    except OSError:
        return None
    rest = text.rpartition(b")")[2].split()
    ticks = sum(int(each) for each in rest[11:15])  # utime, stime, cutime, cstime
    return _Stat(
        pid=int(pid),
        parent=int(rest[1]),
        state=rest[0].decode(),
        cpu_seconds=ticks / _TICKS,
        memory_mb=int(rest[21]) * _PAGE / 2**20,
    )
