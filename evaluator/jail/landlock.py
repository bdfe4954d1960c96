"""The jail that a process can make for itself where it may make no namespaces, as in most containers: Landlock.

Landlock (landlock(7), Linux 5.13) takes rights away from a process and all that it starts: here all files but those
that are named, all signals to others and all looks into other processes. Two filters of system calls do the rest
(`seccomp`, `shared_calls`), and what is left open is told: see `Landlock.gaps`. Its first version is enough. What later
ones add is refused by the filters before: emptying files (version 3), networks (4), abstract sockets and signals (6).
"""

from __future__ import annotations

import ctypes
import functools
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from evaluator.jail import seccomp, shared_calls
from evaluator.jail.file_system import FileSystem
from evaluator.jail.in_place import lay_out
from evaluator.jail.launch import Launch
from evaluator.jail.limits import ProcessLimits
from evaluator.jail.memory_file import memory_file
from evaluator.jail.mounts import TELLING, counters, mounts, uncovered

# linux/landlock.h
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER, _REMOVE_FOLDER, _REMOVE_FILE = (1 << bit for bit in range(6))
_MAKE_FOLDER, _MAKE_FILE, _MAKE_FIFO, _MAKE_LINK = 1 << 7, 1 << 8, 1 << 10, 1 << 12
_REFER, _TRUNCATE, _ASK_DEVICE = 1 << 13, 1 << 14, 1 << 15
_FIRST = (1 << 13) - 1
_LATER = {2: _REFER, 3: _TRUNCATE, 5: _ASK_DEVICE}  # rights by the version that brought them
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _ASK_DEVICE
_READ = _EXECUTE | _READ_FILE | _READ_FOLDER
_CHANGE = _WRITE_FILE | _REMOVE_FOLDER | _REMOVE_FILE | _MAKE_FOLDER | _MAKE_FILE | _MAKE_FIFO | _MAKE_LINK
_CHANGE |= _REFER | _TRUNCATE
_KNOWN = 7  # the newest version that these rights were looked up for
_CREATE_RULESET, _VERSION = 444, 1

_DEVICES = ("null", "zero", "full", "random", "urandom")
_ACCOUNTS = ("/etc/passwd", "/etc/group")
# Of /proc, which shows every process of the machine: about the machine, and the command's own process.
_PROC = (
    *("cpuinfo", "meminfo", "version", "filesystems", "devices", "uptime", "modules", "misc"),
    *("driver", "sys/kernel", "sys/vm", "sys/fs"),
)
_OWN_PROC = (
    *("auxv", "cgroup", "cmdline", "comm", "environ", "fd", "fdinfo", "io", "limits", "maps", "mountinfo"),
    *(
        "mounts",
        "numa_maps",
        "oom_score",
        "oom_score_adj",
        "smaps",
        "smaps_rollup",
        "stat",
        "statm",
        "status",
    ),
)
_STAGE = (sys.executable, "-I", "-S", "-B", str(Path(__file__).with_name("landlock_stage.py")))
_GAPS = (
    "Landlock in the place of bubblewrap: names, sizes and times of all files can be looked up, also of those that "
    "can't be read, and which processes there are",
    "Landlock: what a run writes lies on the disk and is measured several times a second, where bubblewrap holds it to "
    "its size",
    "Landlock: the names of this machine, its accounts and its mounts can be read, how much memory is free, and by "
    "times of access which read-only file an earlier jail was the first to read that day",
)


@dataclass(frozen=True)
class Landlock:
    """Landlock as far as its version `abi` goes.

    Files stay where they are: the working and the scratch folder are made on the disk and moved away when the jail
    ends (`Launch.leaves`), and what is hidden or replaced in another jail can't be read in this one. Sockets, POSIX
    semaphores and shared memory are refused, modes and owners stay what they are.
    """

    abi: int
    name: ClassVar[str] = "landlock"
    in_place: ClassVar[bool] = True
    processes: ClassVar[int] = 2
    # Compilers that torch starts side by side need semaphores.
    variables: ClassVar[Mapping[str, str]] = {"TORCHINDUCTOR_COMPILE_THREADS": "1"}
    gaps: ClassVar[tuple[str, ...]] = _GAPS

    def launch(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        folder: Path,
        file_system: FileSystem,
        limits: ProcessLimits,
        fds: Sequence[int] = (),
    ) -> Launch:
        """See `Jail.launch`."""
        lay_out(file_system)
        handled = _handled(self.abi)
        order = {
            "launcher": os.getpid(),
            "command": list(command),
            "env": dict(env),
            "folder": str(folder),
            "fds": list(fds),
            "abi": self.abi,
            "handled": handled,
            "of_files": _OF_FILES,
            "read": _READ & handled,
            "rules": [(path, rights & handled) for path, rights in _rules(file_system)],
            "proc": list(_of_machine()),
            "own_proc": _OWN_PROC,
            "filters": [
                shared_calls.program(self.abi).hex(),
                seccomp.program(
                    bound=bool(limits.cores), alone=limits.alone
                ).hex(),  # lets nobody add a third
            ],
            "own": {"process": shared_calls.OWN, "group": shared_calls.OWN_GROUP},
        }
        own = memory_file(json.dumps(order).encode())
        tree = () if file_system.tree is None else (file_system.tree.place,)
        return Launch(
            argv=(*_STAGE, str(own)),
            env={},
            fds=(*fds, own),
            own=(own,),
            limits=limits,
            leaves=(file_system.scratch, *tree),
        )


def find_landlock() -> Landlock | None:
    """Return what Landlock can do here; None if this kernel has none, or its system calls are not known to us."""
    libc = ctypes.CDLL(None, use_errno=True)
    abi = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    return Landlock(min(abi, _KNOWN)) if abi >= 1 and shared_calls.program(abi) else None


def _handled(abi: int) -> int:
    return _FIRST | functools.reduce(
        int.__or__, (right for version, right in _LATER.items() if version <= abi), 0
    )


def _rules(file_system: FileSystem) -> Iterator[tuple[str, int]]:
    """Yield paths, and what is allowed there and below."""
    without = _real((*file_system.hidden, *(old for old, _ in file_system.replaced)))
    without.update(counters())  # which can't be made to stand still here
    for mount in mounts(uncovered(file_system)):
        if mount.target.startswith("/proc"):
            continue
        if mount.kind == "bind":
            yield from _around(mount.source, _READ, without)
        elif mount.kind == "bind_rw":
            yield from _around(mount.source, _READ | _CHANGE, without)
        elif mount.kind == "device":
            yield mount.source, _READ_FILE | _READ_FOLDER | _WRITE_FILE | _ASK_DEVICE
    for name in _DEVICES:
        yield f"/dev/{name}", _READ_FILE | _WRITE_FILE
    for path in _ACCOUNTS:
        yield path, _READ_FILE
    own = (file_system.scratch, *(() if file_system.tree is None else (file_system.tree.place,)))
    yield from ((os.path.realpath(each), _READ | _CHANGE) for each in own)


def _of_machine() -> Iterator[str]:
    """Yield names of /proc that tell nothing of what others do."""
    without = {f"/proc/{name}" for name in TELLING}
    for name in _PROC:
        for path, rights in _around(f"/proc/{name}", _READ, without):
            if rights == _READ:
                yield path.removeprefix("/proc/")


def _around(path: str, rights: int, without: set[str]) -> Iterator[tuple[str, int]]:
    """Yield `path`, or if some of `without` lies below it, the parts around those. The names in a folder can be listed
    all the same: imports need that."""
    if path in without or any(str(above) in without for above in Path(path).parents):
        return
    if not any(each.startswith(f"{path.rstrip('/')}/") for each in without):
        yield path, rights
        return
    yield path, _READ_FOLDER
    yield from _parts(path, rights, without)


def _parts(folder: str, rights: int, without: set[str]) -> Iterator[tuple[str, int]]:
    holding = {str(above) for each in without for above in Path(each).parents}
    waiting = [folder]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.path in holding and entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif (
                entry.path not in without and not entry.is_symlink()
            ):  # a link leads to what has its own rule
                yield entry.path, rights


def _real(paths: Iterable[Path]) -> set[str]:
    return {os.path.realpath(each) for each in paths}
