"""Why a Python can't be started: in the words of who can fix it."""

from __future__ import annotations

import errno
import os
import platform
import struct
from pathlib import Path

# Of the processors that a Linux machine may have: elf.h, by what uname(2) calls them.
_MACHINES = {
    3: "i686",
    40: "armv7l",
    62: "x86_64",
    183: "aarch64",
    21: "ppc64le",
    22: "s390x",
    243: "riscv64",
}
_PT_INTERP = 3


class Unstartable(Exception):
    """A Python that can't be started, and why, as the rest of a sentence that begins with its path."""


def why_not(path: Path, error: OSError) -> str:
    """Return why starting the program at `path` ended in `error`."""
    if path.is_symlink() and not path.exists():
        return (
            f"leads to {os.readlink(path)}, which is gone: make the environment again"  # noqa: PTH115
            " (`uv sync`, or `python3 -m venv`)"
        )
    if not path.exists():
        return "does not exist"
    if path.is_dir():
        return "is a folder without bin/python: name a virtual environment, or the interpreter itself"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "is not executable: chmod +x, or name the interpreter itself"
    head, asked = _asked_for(path)
    if error.errno == errno.ENOENT and asked:
        if head == "#!":
            return f"can't be started: its first line asks for {asked}, which is missing here"
        libc = " with musl" if "musl" in asked else ""
        return f"is built for another system{libc}: its loader {asked} is missing here"
    if error.errno == errno.ENOEXEC:
        if head in _MACHINES.values() and head != platform.machine():
            return f"is built for {head}, and this machine is {platform.machine()}"
        return "is no program"
    return f"can't be started: {error.strerror}"


def said_by(status: int, errors: bytes) -> str:
    """Return why a Python that was started ended without an answer."""
    lines = errors.decode(errors="replace").strip().splitlines()
    how = f"was ended by signal {-status}" if status < 0 else f"exit code {status}"
    last = next((line.strip() for line in reversed(lines) if line.strip()), how)
    if last.startswith("SyntaxError"):  # our question is written for all Pythons after 2
        return "is too old: 3.10 is the oldest Python that works"
    return f"is broken: {last[:200]}"


def _asked_for(path: Path) -> tuple[str, str]:
    """Return what kind of program a file is ("#!", or the processor it is built for, or "") and what it asks the
    kernel to start in its place."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return "", ""
    if head.startswith(b"#!"):
        return "#!", head[2:].split(b"\n")[0].strip().split(b" ")[0].decode(errors="replace")
    if not head.startswith(b"\x7fELF") or len(head) < 64:
        return "", ""
    order = "<" if head[5] == 1 else ">"
    machine = _MACHINES.get(struct.unpack_from(f"{order}H", head, 18)[0], "another processor")
    if head[4] != 2:  # 32 bits: the processor tells enough
        return machine, ""
    (start,) = struct.unpack_from(f"{order}Q", head, 32)
    size, count = struct.unpack_from(f"{order}HH", head, 54)
    for number in range(count):
        at = start + number * size
        if at + 56 > len(head):
            break
        if struct.unpack_from(f"{order}I", head, at)[0] == _PT_INTERP:
            offset, _, _, length = struct.unpack_from(f"{order}QQQQ", head, at + 8)
            return machine, head[offset : offset + length].rstrip(b"\0").decode(errors="replace")
    return machine, ""
