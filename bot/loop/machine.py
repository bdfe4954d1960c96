"""What this machine is: the name of its kind, and its GPUs."""

from __future__ import annotations

import functools
import os
import platform
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
    """Return the names of the GPUs that this process sees; none if there is no `nvidia-smi`.

    If CUDA_VISIBLE_DEVICES names none of those that it lists, as for a part of one, all count.
    """
    names = [line.partition(",") for line in _listed("uuid,name")]
    visible = gpu_ids()
    seen = [name for name in names if name[0].strip() in visible]
    return [(name or uuid).strip() for uuid, _, name in seen or names]


def gpu_ids() -> tuple[str, ...]:
    """Return the identifiers of the GPUs that this process sees, in the same order for all processes."""
    return _gpu_ids(os.environ.get("PATH", ""), os.environ.get("CUDA_VISIBLE_DEVICES"))


@functools.lru_cache(maxsize=4)
def _gpu_ids(path: str, visible: str | None) -> tuple[str, ...]:
    pairs = [line.partition(",") for line in _listed("index,uuid")]
    known = {index.strip(): name.strip() for index, comma, name in pairs if comma}
    if visible is None:
        return tuple(sorted(known.values()))
    wanted = [known.get(each.strip(), each.strip()) for each in visible.split(",")]
    return tuple(sorted({name for name in known.values() if name in wanted}))


def _listed(what: str) -> list[str]:
    try:
        listed = subprocess.run(
            ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader"],
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
