"""Enter a jail and run a command there: `python -I -S -B enter.py FD`. Linux 5.12 and later.

FD holds the order as JSON: command, env, folder, mounts (see mounts.py), seccomp (a filter in hexadecimal)
and fds (to be passed on). Three processes come of it:

    outside   made the namespaces, waits, and ends as the command ended (128 + signal where one ended it)
    init      process 1 of the jail: builds the file system, gives up all privileges, reaps
    command   what was ordered

Whichever ends takes all that is in the jail along: the kernel ends a namespace with its process 1, init ends
with the command, and is killed with the process outside, which is killed with whoever started it.

One file, standard library only, and nothing imported late: once the old root is gone, Python's library is
out of sight. Sources: user_namespaces(7), pivot_root(2), mount_setattr(2), capabilities(7), and what
bubblewrap does.
"""

# ruff: noqa: PTH101, PTH102, PTH103, PTH106, PTH115, PTH120, PTH211
# Paths are text here: pathlib would double the time it takes to start.

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import stat
import struct
import sys
from contextlib import suppress
from typing import Any, NoReturn

# linux/sched.h
_NEW_NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_NEW_CGROUP = 0x02000000

# linux/mount.h, sys/mount.h
_NOSUID, _NODEV, _NOEXEC, _RECURSIVE, _PRIVATE = 2, 4, 8, 1 << 14, 1 << 18
_DETACH = 2
_ATTR_READ_ONLY, _ATTR_NOSUID, _ATTR_NODEV, _ATTR_NOEXEC = 1, 2, 4, 8
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442  # the same on all machines
_AT_CWD, _AT_EMPTY_PATH, _AT_RECURSIVE, _CLONE_TREE, _MOVE_FROM_FD = -100, 0x1000, 0x8000, 1, 4

# linux/prctl.h
_PDEATHSIG, _DUMPABLE, _SECCOMP, _DROP_BOUND, _NO_NEW_PRIVILEGES, _AMBIENT = 1, 4, 22, 24, 38, 47
_SECCOMP_FILTER, _AMBIENT_CLEAR = 2, 4
_CAPABILITY_VERSION_3 = 0x20080522

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1

_NODES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "core": "/proc/kcore",
    "ptmx": "pts/ptmx",
}

_OUTSIDE = "/.outside"  # where the old root stands while the new one is built

_LIBC = ctypes.CDLL(None, use_errno=True)


def main(descriptor: int) -> NoReturn:
    parent = os.getppid()
    for each in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):  # Python's own habits
        signal.signal(each, signal.SIG_DFL)
    with open(descriptor, "rb") as file:
        order = json.load(file)
    mask = os.umask(0o022)
    _enter_namespaces()
    _prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    alive, outside = os.pipe()
    init = os.fork()
    if init == 0:
        os.close(outside)
        _guard(_be_init, order, mask, alive)
    os.close(alive)
    _close(order["fds"])
    os._exit(_code(os.waitpid(init, 0)[1]))


def _enter_namespaces() -> None:
    user, group = os.geteuid(), os.getegid()
    _check(_LIBC.unshare(_NEW_NAMESPACES), "unshare")
    with suppress(OSError):  # where the kernel has cgroups
        _check(_LIBC.unshare(_NEW_CGROUP), "unshare")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")
    socket.sethostname("jail")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loopback:
        request = fcntl.ioctl(loopback, _SIOCGIFFLAGS, struct.pack("16sh22x", b"lo", 0))
        flags = struct.unpack_from("16sh", request)[1]
        fcntl.ioctl(loopback, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _IFF_UP))


def _be_init(order: dict[str, Any], mask: int, alive: int) -> NoReturn:
    _prctl(_PDEATHSIG, signal.SIGKILL)
    if select.select([alive], [], [], 0)[0]:  # the process outside ended before the line above
        os._exit(1)
    os.close(alive)
    _build(order["mounts"])
    _give_up_privileges(bytes.fromhex(order["seccomp"]))
    os.umask(mask)
    command = os.fork()
    if command == 0:
        _guard(_be_command, order)
    _close(order["fds"])
    while True:
        ended, status = os.wait()
        if ended == command:
            os._exit(_code(status))


def _be_command(order: dict[str, Any]) -> NoReturn:
    os.setsid()
    os.chdir(order["folder"])
    command = order["command"]
    try:
        os.execvpe(command[0], command, order["env"])
    except OSError as error:
        _say(f"{command[0]}: {error.strerror}")
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


# --- the file system ---


def _build(mounts: list[dict[str, Any]]) -> None:
    """Make an empty root, carry out `mounts` in it, and let go of the old root before it is sealed."""
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    _mount("tmpfs", "/tmp", "tmpfs", _NOSUID | _NODEV, "mode=0755")
    os.chdir("/tmp")
    os.mkdir(_OUTSIDE.lstrip("/"))
    _check(_LIBC.pivot_root(b".", os.fsencode(_OUTSIDE.lstrip("/"))), "pivot_root")
    os.chdir("/")
    steps = [step for mount in mounts for step in (_dev() if mount["kind"] == "dev" else [mount])]
    for step in steps:
        if step["kind"] != "seal":
            _carry_out(step)
    _write("/proc/sys/user/max_user_namespaces", "0")
    _check(_LIBC.umount2(os.fsencode(_OUTSIDE), _DETACH), "umount2")
    os.rmdir(_OUTSIDE)
    for step in steps:
        if step["kind"] == "seal":
            _set_attributes(_AT_CWD, step["target"], 0, _ATTR_READ_ONLY)


def _carry_out(step: dict[str, Any]) -> None:
    kind, target = step["kind"], step["target"]
    if kind in _BINDS:
        _bind(_OUTSIDE + step["source"], target, _BINDS[kind])
    elif kind == "folder":
        os.makedirs(target, exist_ok=True)
    elif kind == "tmpfs":
        os.makedirs(target, exist_ok=True)
        held = f"mode={step['mode']:o},size={step['size']},nr_inodes={step['size'] // 4096 + 16}"
        _mount("tmpfs", target, "tmpfs", _NOSUID | _NODEV, held)
    elif kind == "proc":
        os.mkdir(target)
        _mount("proc", target, "proc", _NOSUID | _NODEV | _NOEXEC)
    elif kind == "pts":
        os.mkdir(target)
        _mount("devpts", target, "devpts", _NOSUID | _NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    elif kind == "link":
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(step["source"], target)
    elif kind == "file":
        _write(target, step["source"], os.O_CREAT | os.O_EXCL)
    elif kind == "fill":
        _fill(_OUTSIDE + step["source"], target)
    else:
        raise ValueError(f"{kind}: no such kind of mount")


def _dev() -> list[dict[str, Any]]:
    """The steps that "dev" stands for."""
    return [
        {"kind": "tmpfs", "target": "/dev", "size": 1 << 20, "mode": 0o755},
        *({"kind": "device", "target": f"/dev/{name}", "source": f"/dev/{name}"} for name in _NODES),
        *({"kind": "link", "target": f"/dev/{name}", "source": to} for name, to in _LINKS.items()),
        {"kind": "pts", "target": "/dev/pts"},
    ]


# Attributes of what is bound. They are added to those that the source has: nothing is ever loosened.
_BINDS = {
    "bind": _ATTR_READ_ONLY | _ATTR_NOSUID | _ATTR_NODEV,
    "bind_rw": _ATTR_NOSUID | _ATTR_NODEV,
    "device": _ATTR_NOSUID | _ATTR_NOEXEC,
}


def _bind(source: str, target: str, attributes: int) -> None:
    """Show `source` at `target`: a detached copy is made, given its attributes, and only then put there."""
    flags = _CLONE_TREE | os.O_CLOEXEC | _AT_RECURSIVE
    tree = _LIBC.syscall(_OPEN_TREE, _AT_CWD, os.fsencode(source), flags)
    _check(tree, f"open_tree {source}")
    _set_attributes(tree, "", _AT_EMPTY_PATH | _AT_RECURSIVE, attributes)
    if stat.S_ISDIR(os.fstat(tree).st_mode):
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        _write(target, "", os.O_CREAT | os.O_EXCL)
    moved = _LIBC.syscall(_MOVE_MOUNT, tree, b"", _AT_CWD, os.fsencode(target), _MOVE_FROM_FD)
    _check(moved, f"move_mount {target}")
    os.close(tree)


def _fill(source: str, target: str) -> None:
    """Copy what the folder `source` holds into the folder `target`, but for what is there already."""
    with os.scandir(source) as entries:
        for entry in entries:
            place = f"{target}/{entry.name}"
            if entry.is_symlink():
                with suppress(FileExistsError):
                    os.symlink(os.readlink(entry.path), place)
            elif entry.is_dir(follow_symlinks=False):
                os.makedirs(place, exist_ok=True)
                _fill(entry.path, place)
                os.chmod(place, entry.stat().st_mode & 0o777 | 0o700)
            elif entry.is_file(follow_symlinks=False) and not os.path.lexists(place):
                _copy(entry.path, place)


def _copy(source: str, place: str) -> None:
    read = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        told = os.fstat(read)
        made = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            while os.sendfile(made, read, None, 1 << 30):
                pass
            os.fchmod(made, told.st_mode & 0o777)
            os.utime(made, ns=(told.st_atime_ns, told.st_mtime_ns))
        finally:
            os.close(made)
    finally:
        os.close(read)


def _set_attributes(folder: int, path: str, flags: int, attributes: int) -> None:
    wanted = struct.pack("QQQQ", attributes, 0, 0, 0)
    size = ctypes.c_size_t(len(wanted))
    done = _LIBC.syscall(_MOUNT_SETATTR, folder, os.fsencode(path), flags, wanted, size)
    _check(done, f"mount_setattr {path}")


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind, data)]
    done = _LIBC.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3])
    _check(done, f"mount {kind} on {target}")


# --- privileges ---


def _give_up_privileges(rules: bytes) -> None:
    """No capability now or ever, no setuid, no look into this process, and only harmless system calls."""
    for capability in range(int(_read("/proc/sys/kernel/cap_last_cap")) + 1):
        _prctl(_DROP_BOUND, capability)
    _prctl(_AMBIENT, _AMBIENT_CLEAR)
    _check(_LIBC.capset(struct.pack("Ii", _CAPABILITY_VERSION_3, 0), bytes(24)), "capset")
    _prctl(_NO_NEW_PRIVILEGES, 1)
    _prctl(_DUMPABLE, 0)
    if rules:
        array = ctypes.create_string_buffer(rules, len(rules))
        whole = ctypes.create_string_buffer(struct.pack("HP", len(rules) // 8, ctypes.addressof(array)))
        _prctl(_SECCOMP, _SECCOMP_FILTER, ctypes.addressof(whole))


# --- small things ---


def _check(result: int, what: str) -> None:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def _prctl(option: int, *values: int) -> None:
    words = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    _check(_LIBC.prctl(option, *words), f"prctl {option}")


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def _write(path: str, text: str, flags: int = 0) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | flags, 0o444)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _close(descriptors: list[int]) -> None:
    for each in descriptors:
        os.close(each)


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _say(message: str) -> None:
    os.write(2, f"namespaces: {message}\n".encode(errors="replace"))


def _guard(what: Any, *arguments: Any) -> NoReturn:
    """Run one of the processes; whatever goes wrong is one line and the end of it."""
    try:
        what(*arguments)
    except BaseException as error:
        _say(str(error))
    os._exit(1)


if __name__ == "__main__":
    _guard(main, int(sys.argv[1]))
