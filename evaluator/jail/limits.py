"""What the kernel holds a jailed process to. Memory and the number of processes are watched from outside."""

from __future__ import annotations

import contextlib
import os
import resource
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluator.jail.view import Limits


def set_limits(limits: Limits) -> None:
    """Limit this process and all it will start, for good. Safe between fork and exec.

    No limit on address space: CUDA reserves more than any machine has. No core dumps: with 1 (byte) the
    kernel neither writes one nor pipes one to the host's handler, which 0 does not prevent (core(5)).
    """
    _lower(resource.RLIMIT_CORE, 1)
    _lower(resource.RLIMIT_NOFILE, limits.open_files)
    _lower(resource.RLIMIT_FSIZE, limits.file_bytes)
    if limits.cores:
        os.sched_setaffinity(0, limits.cores)
    _be_killed_first()


def _lower(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def _be_killed_first() -> None:
    """Where memory runs out, the kernel takes the candidate before the scorer (proc(5), oom_score_adj)."""
    with contextlib.suppress(OSError):  # containers may have /proc read-only; the poll from outside remains
        score = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        try:
            os.write(score, b"1000")
        finally:
            os.close(score)
