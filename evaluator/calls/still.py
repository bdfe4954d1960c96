"""The processes of one jail between two calls: they stand still, and what they have used is read exactly.

To look through all of /proc takes milliseconds, and calls may take less. So what is known is kept, and of the rest
only processes are looked at whose numbers were given since (proc(5), loadavg: the newest number).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from evaluator.proctree import living, stat_fields

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_RUNS = b"RS"  # and all others (stopped, dead, waiting for a disk or a child) do nothing by themselves
_MOST_NEW = 256  # numbers given since; beyond, all of /proc is looked through
_BIRTH_SECONDS = 0.5  # a number is given a little before its process can be seen
_TRIES = 200


class Processes:
    """The processes below `main`, which is what makes a jail; without a jail `main` itself is one of them."""

    def __init__(self, main: int, *, jailed: bool) -> None:
        self._main, self._jailed = main, jailed
        self._parents: dict[int, int] = {}
        self._births: dict[int, bytes | None] = {}  # a number may be given again, to a stranger
        self._newest = -1
        self._unborn: dict[
            int, float
        ] = {}  # numbers that were given and are not seen yet, and until when they may be
        self._still: set[int] = set()
        self._most = 0.0
        self._given: set[int] = set()  # numbers that were given since it was asked whether some have ended
        self._some_ended = False

    def stop(self) -> None:
        """Let none of them run any more: returns once all stand still."""
        for turn in range(_TRIES):
            before = len(self._known())
            moving = [pid for pid in self._stoppable() if pid not in self._still or not self._stands(pid)]
            for pid in moving:
                _signal(pid, signal.SIGSTOP)
            self._still.update(moving)
            if all(self._stands(pid) for pid in moving) and len(self._known()) == before:
                return
            time.sleep(0.0001 if turn < 20 else 0.001)

    def go_on(self) -> None:
        """Let them run again."""
        for pid in self._still:
            _signal(pid, signal.SIGCONT)
        self._still.clear()

    def cpu_seconds(self) -> float:
        """Return what all of them have used so far; those that were waited for count with their parents."""
        used = 0.0
        for pid in self._known():
            fields = stat_fields(pid)
            if fields is not None:
                ticks = (int(fields[11]) + int(fields[12])) / _TICKS
                used += _exact(pid, ticks) + (int(fields[13]) + int(fields[14])) / _TICKS
        self._most = max(self._most, used)
        return self._most

    def some_ended(self) -> bool:
        """Whether one of them may have ended since this was asked last: a process that was known, or one whose number
        was given and is nobody's any more. It may have been a stranger's."""
        self._known()
        ended = self._some_ended or any(not Path(f"/proc/{number}").exists() for number in self._given)
        self._given, self._some_ended = set(), False
        return ended

    def memory_mb(self) -> float:
        """Return the most memory that they have taken, each at its own time."""
        total = 0.0
        for pid in self._known():
            with contextlib.suppress(OSError):
                for line in Path(living(pid), "status").read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        total += int(line.split()[1]) / 1024
        return total

    def now(self) -> tuple[float, int]:
        """Return the MiB that they take now, and how many they are."""
        known = self._known()
        sizes = [int(fields[21]) * _PAGE / 2**20 for pid in known if (fields := stat_fields(pid)) is not None]
        return sum(sizes), len(known)

    def _stoppable(self) -> list[int]:
        """Return all but what makes the jail and its first process, which only wait."""
        if not self._jailed:
            return list(self._parents)
        first = {self._main, *(pid for pid, parent in self._parents.items() if parent == self._main)}
        return [pid for pid in self._parents if pid not in first]

    def _stands(self, pid: int) -> bool:
        fields = stat_fields(pid)
        return fields is None or fields[0] not in _RUNS

    def _known(self) -> dict[int, int]:
        """Return the processes that live now, with their parents."""
        for pid in [pid for pid, born in self._births.items() if born is None or _birth(pid) != born]:
            del self._parents[pid], self._births[pid]
            self._still.discard(pid)
            self._some_ended = True
        newest = int(Path("/proc/loadavg").read_bytes().rsplit(b" ", 1)[1])
        if newest != self._newest:
            if self._jailed and 0 <= newest - self._newest <= _MOST_NEW and self._newest >= 0:
                numbers = list(range(self._newest + 1, newest + 1))
                self._given.update(numbers)
            else:
                numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208
                self._some_ended = True
            self._newest = newest
            self._unborn |= dict.fromkeys(numbers, time.monotonic() + _BIRTH_SECONDS)
        if self._unborn:
            self._take_up()
        return self._parents

    def _take_up(self) -> None:
        found = {pid: int(fields[1]) for pid in self._unborn if (fields := stat_fields(pid)) is not None}
        now = time.monotonic()
        self._unborn = {pid: until for pid, until in self._unborn.items() if pid not in found and until > now}
        if self._main in found:
            self._parents[self._main] = found[self._main]
            self._births[self._main] = _birth(self._main)
        grew = True
        while grew:
            grew = False
            for pid, parent in found.items():
                if pid not in self._parents and parent in self._parents and _is_process(pid):
                    self._parents[pid] = parent
                    self._births[pid] = _birth(pid)
                    grew = True


def _birth(pid: int) -> bytes | None:
    """Return when a process began; None if it has ended, and nothing of it is left."""
    fields = stat_fields(pid)
    return None if fields is None else fields[19]


def _is_process(pid: int) -> bool:
    """Whether a number is a process's and not one of its threads'."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("Tgid:"):
                return int(line.split()[1]) == pid
    return False


def _exact(pid: int, otherwise: float) -> float:
    """Return the CPU seconds of a process by its own clock (clock_getcpuclockid(3)), which knows nanoseconds."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return otherwise


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
