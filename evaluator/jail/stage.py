"""Cover many files, then become another program: `python -I -S -B stage.py FD PROGRAM ARGUMENT...`

FD holds the covers as JSON: pairs of a path, and what appears there (a file; nothing for an empty folder). They
are mounted in a mount namespace of our own, over the paths themselves, and the program sees them so.

bubblewrap reads the list of all mounts again for each that it makes, so that hundreds of covers would cost it
seconds; those that are there already cost it next to nothing. One file, standard library only. Sources:
user_namespaces(7), mount(2).
"""

# ruff: noqa: PTH123
# Paths are text here: pathlib would double the time it takes to start.

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import NoReturn

# linux/sched.h, sys/mount.h
_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000
_READ_ONLY, _NOSUID, _NODEV, _BIND, _RECURSIVE, _PRIVATE = 1, 2, 4, 4096, 1 << 14, 1 << 18

_LIBC = ctypes.CDLL(None, use_errno=True)


def main(descriptor: int, program: list[str]) -> NoReturn:
    """Make the covers and go on as `program`; exit with a line on stderr if the kernel refuses."""
    with open(descriptor, "rb") as file:
        covers = json.load(file)
    executable = os.open(program[0], os.O_RDONLY | os.O_CLOEXEC)  # it may lie in what is covered
    _enter()
    _mount("none", "/", None, _RECURSIVE | _PRIVATE, None)
    for target, source in covers:
        if source:
            _mount(source, target, None, _BIND, None)
        else:
            _mount("none", target, "tmpfs", _READ_ONLY | _NOSUID | _NODEV, "size=4k,mode=555")
    for each in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and so would the program
        signal.signal(each, signal.SIG_DFL)
    os.execve(executable, program, {})


def _enter() -> None:
    """Go into a mount namespace of our own; without privileges, into a user namespace as well."""
    user, group = os.getuid(), os.getgid()
    if os.geteuid() == 0 and _LIBC.unshare(_NEW_MOUNTS) == 0:
        return
    if _LIBC.unshare(_NEW_USERS | _NEW_MOUNTS):
        _fail("unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None) -> None:
    words = [None if each is None else os.fsencode(each) for each in (source, target, kind)]
    if _LIBC.mount(*words, ctypes.c_ulong(flags), None if data is None else data.encode()):
        _fail(target)


def _fail(what: str) -> NoReturn:
    number = ctypes.get_errno()
    sys.exit(f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
