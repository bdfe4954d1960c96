"""Becomes a command as it would run in a container with its usual filter and capabilities: `container.py COMMAND...`

Neither namespaces nor mounts are to be had there, by privileges or without (Docker's default seccomp profile and
capabilities, https://docs.docker.com/engine/security/seccomp/); /proc and /sys stay what they are.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

from evaluator.jail import seccomp
from evaluator.jail.seccomp import ALLOW, ANY_BIT, ENOSYS, EPERM, EQUAL, ERROR, LOAD, RETURN, Jump, argument

REFUSED = (
    "mount",
    "umount2",
    "pivot_root",
    "setns",
    "unshare",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsmount",
)
# Kept: chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw, sys_chroot,
# mknod, audit_write, setfcap (linux/capability.h).
KEPT = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31)
NEW_NAMESPACE = 0x7E020000


def main(command: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0:
        assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS, without which nobody else may filter
    column = seccomp.column_of()
    assert column is not None
    code = seccomp.assemble(
        [
            *seccomp.beginning(column),
            *(Jump(EQUAL, seccomp.REFUSED[name][column], "refuse") for name in REFUSED),
            Jump(EQUAL, seccomp.CHECKED["clone"][column], "clone"),
            Jump(EQUAL, seccomp.ABSENT["clone3"][column], "absent"),
            (RETURN, ALLOW),
            "clone",
            (LOAD, argument(0)),
            Jump(ANY_BIT, NEW_NAMESPACE, "refuse"),
            (RETURN, ALLOW),
            "refuse",
            (RETURN, ERROR | EPERM),
            "absent",
            (RETURN, ERROR | ENOSYS),
        ]
    )
    held = ctypes.create_string_buffer(code, len(code))
    assert libc.prctl(22, 2, struct.pack("@HP", len(code) // 8, ctypes.addressof(held)), 0, 0) == 0
    for number in range(64):
        if number not in KEPT:
            libc.prctl(24, number, 0, 0, 0)  # PR_CAPBSET_DROP
    os.execvp(command[0], command)


main(sys.argv[1:])
