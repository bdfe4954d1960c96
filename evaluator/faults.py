"""Failures that are the machine's and not the candidate's: its devices, its disk, its signals.

A candidate can print such words too; all that it gets for them is to run again.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# As CUDA, its driver, NCCL and torch say it. An assertion inside a kernel or an illegal address is the candidate's.
_DEVICE = re.compile(
    r"uncorrectable (?:ECC|NVLink) error|\bXid\b.{0,40}\b\d+|fallen off the bus|GPU is lost|cudaErrorECCUncorrectable"
    r"|CUDA-capable device\(s\) is/are busy or unavailable|cudaErrorDevices?Unavailable|cudaErrorSystemNotReady"
    r"|CUDA driver version is insufficient|Driver/library version mismatch|cudaErrorInsufficientDriver"
    r"|cudaErrorSystemDriverMismatch|system not yet initialized|No CUDA GPUs are available|CUDA unknown error"
    r"|this machine's GPU is not seen in the jail"
    r"|NCCL\b.{0,120}(?:unhandled system error|remote process exited|timed? ?out)|ncclSystemError|ncclRemoteError"
    r"|Watchdog caught collective operation timeout",
    re.IGNORECASE,
)
_NO_SPACE = re.compile(r"No space left on device|ENOSPC|Disk quota exceeded", re.IGNORECASE)
_LAST_LINES = 20
_FULL_BYTES, _FULL_PART = 64 << 20, 0.005

_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPWR}
_FAR_BELOW = 0.8  # of the memory that is allowed


@dataclass(frozen=True)
class Around:
    """What was so around a process when it ended: memory in MiB at the most, what is allowed, how many processes the
    kernel has ended for want of memory since it was started, and whether one of those had passed the bound itself."""

    peak_memory_mb: float
    memory_mb: float
    oom_kills: int
    ran_out: bool = False


def of_the_machine(returncode: int, lines: Sequence[str], error: str, around: Around | None) -> str | None:
    """Return in one line what of the machine ended a process; None if it was its own fault.

    `lines` is the end of its log, `error` the last line of its traceback.
    """
    if returncode == 0:
        return None
    last = [error, *list(lines)[-_LAST_LINES:]]
    told = next((line for line in last if _DEVICE.search(line)), None)
    if told is not None:
        return told
    if any(_NO_SPACE.search(line) for line in last) and disk_is_full():
        return "the disk is full, outside of what the run may write"
    if returncode < 0 and -returncode in _FROM_OUTSIDE and around is not None:
        return _ended_by(-returncode, around)
    return None


def _ended_by(number: int, around: Around) -> str | None:
    """Return who ended a process by a signal; None if it was near its bound of memory."""
    if around.ran_out or around.peak_memory_mb > _FAR_BELOW * around.memory_mb:
        return None
    used = f"it used {around.peak_memory_mb:.0f} MiB at the most, of {around.memory_mb:.0f}"
    if around.oom_kills and number == signal.SIGKILL:
        return f"ended by the kernel for want of memory on this machine; {used}"
    return f"ended by {signal.Signals(number).name} from outside, by no limit of ours; {used}"


def disk_is_full() -> bool:
    """Whether the disk that runs are made on has no room left."""
    disk = shutil.disk_usage(tempfile.gettempdir())
    return disk.free < min(_FULL_BYTES, _FULL_PART * disk.total)


def oom_kills() -> int:
    """Return how many processes the kernel has ended for want of memory so far, 0 if it does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
