"""Who this process is on a ledger, and whether another one of this machine still runs."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def holder_name() -> str:
    """Return a name that no other process has: host, boot, process id and its start time."""
    pid = os.getpid()
    return f"{socket.gethostname()}/{_boot()}/{pid}/{_start_time(pid)}"


def is_dead(holder: str) -> bool:
    """Whether `holder` is a process of this machine that no longer runs. Unknown machines count as alive."""
    parts = holder.rsplit("/", 3)
    if len(parts) != 4 or parts[0] != socket.gethostname() or not parts[2].isdigit():
        return False
    if parts[1] != _boot():
        return True
    return _start_time(int(parts[2])) != parts[3]


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return "unknown"


def _start_time(pid: int) -> str:
    """Return the kernel's start time of a process (clock ticks since boot), "gone" where there is none.

    Field 22 of /proc/PID/stat, proc_pid_stat(5); a zombie counts as gone.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return "gone"
    return "gone" if fields[0] in ("Z", "X") else fields[19]
