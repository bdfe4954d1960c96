"""How busy others keep this machine, told by what a candidate can neither raise nor hide.

What counts is the processor time that other people's programs used, in user mode, and what the hypervisor gave to
other machines: a candidate that starts many threads takes time away from others, so that they seem to use less.
What the kernel does for a candidate is system time, and not counted.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_LEAST_SECONDS = 0.2  # /proc/stat counts hundredths
_LEAST_LEFT = 0.04  # of the machine, that a process is assumed to get at the least
_MOST = 8.0


@dataclass(frozen=True)
class Pool:
    """Processors that we may use, and the user CPU seconds that everybody has used of them so far."""

    processors: float
    busy: float


@dataclass(frozen=True)
class Reading:
    """A moment: `ours` are the CPU seconds of what we started, `pools` what it shares with others."""

    wall: float
    ours: float
    pools: tuple[Pool, ...]


class Load:
    """Reads the machine's counters; `ours` returns the CPU seconds of what a run itself has started so far."""

    def __init__(self, ours: Callable[[], float]) -> None:
        self._ours = ours
        self._began = self.read()

    def read(self) -> Reading:
        """Return the counters now."""
        pools = tuple(pool for pool in (_machine(), _control_group()) if pool is not None)
        return Reading(time.monotonic(), self._ours() + time.process_time(), pools)

    def others(self, before: Reading | None = None, after: Reading | None = None) -> float:
        """Return the part of the machine that others used between two moments (the start, and now), 0 to 1."""
        before, after = before or self._began, after or self.read()
        if after.wall - before.wall < _LEAST_SECONDS:
            before = self._began
        wall = after.wall - before.wall
        if wall < _LEAST_SECONDS:
            return 0.0
        ours, found = after.ours - before.ours, 0.0
        for early, late in zip(before.pools, after.pools, strict=False):
            used = max(0.0, late.busy - early.busy - ours)
            found = max(found, used / (wall * late.processors))
        return min(found, 1.0)


def stretch(others: float, demand: float) -> float:
    """Return how much longer work takes on the wall that keeps the part `demand` of the machine busy by itself,
    if others use the part `others` of it."""
    return min(max(1.0, demand / max(1.0 - others, _LEAST_LEFT)), _MOST)


def processors() -> int:
    """Return how many processors we may use."""
    return len(os.sched_getaffinity(0))


def _machine() -> Pool | None:
    """Return the processors that we may run on: user, nice and stolen time of each in /proc/stat (proc(5))."""
    mine, busy = {f"cpu{number}" for number in os.sched_getaffinity(0)}, 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/stat").read_text().splitlines():
            words = line.split()
            if words and words[0] in mine:
                busy += int(words[1]) + int(words[2]) + (int(words[8]) if len(words) > 8 else 0)
        return Pool(len(mine), busy / _TICKS)
    return None


def _control_group() -> Pool | None:
    """Return our control group's share of the machine, if it has one (a container): cpu.max (cgroups(7))."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        lines = Path("/sys/fs/cgroup/cpu.stat").read_text().splitlines()
        used = next(int(line.split()[1]) for line in lines if line.startswith("user_usec"))
        return Pool(int(quota) / int(period), used / 1e6)
    return None
