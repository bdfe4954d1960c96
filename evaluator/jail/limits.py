"""What the kernel holds a jailed process to. Memory and the number of processes are watched from outside."""

from __future__ import annotations

import contextlib
import os
import resource
from dataclasses import dataclass


@dataclass(frozen=True)
class ProcessLimits:
    """What each process of a jail is held to: open files, bytes of one file, the processor cores that it may run on
    (None: all of ours), and no core dumps. `alone`: the jail's filter lets it start neither processes nor threads."""

    open_files: int = 4096
    file_bytes: int = 1 << 40
    cores: frozenset[int] | None = None
    alone: bool = False

    def impose(self) -> None:
        """Limit this process and all it will start, for good. Safe between fork and exec.

        No limit on address space: CUDA reserves more than any machine has. No core dumps: with 1 (byte) the
        kernel neither writes one nor pipes one to the host's handler, which 0 does not prevent (core(5)).
        """
        _lower(resource.RLIMIT_CORE, 1)
        _lower(resource.RLIMIT_NOFILE, self.open_files)
        _lower(resource.RLIMIT_FSIZE, self.file_bytes)
        if self.cores:
            os.sched_setaffinity(0, self.cores)
        _be_killed_first()


def _lower(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def _be_killed_first() -> None:
    """If memory runs out, the kernel takes the candidate before the scorer (proc(5), oom_score_adj)."""
    with contextlib.suppress(OSError):  # containers may have /proc read-only; the poll from outside remains
        score = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        try:
            os.write(score, b"1000")
        finally:
            os.close(score)
