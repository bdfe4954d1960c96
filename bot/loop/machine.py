"""Who and what this process is: the name of the machine's kind, and of this very process."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from pathlib import Path


def runner_kind() -> str:
    """Return the kind of this machine: its GPU's name where there is one, else processor and cores.

    Scores of different kinds of machine are never compared: a fixed time budget buys more on a faster one.
    """
    names = gpu_names()
    if names:
        return f"{len(names)}x {names[0]}"
    return f"{platform.machine()} {_processor()} x{os.cpu_count()}".replace("  ", " ")


def gpu_names() -> list[str]:
    """Return the names of the GPUs that `nvidia-smi` lists; none where there is no such command."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in listed.stdout.splitlines() if line.strip()]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


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
