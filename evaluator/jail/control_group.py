"""Control groups (cgroups(7)), version 1 and 2: the one bound that the kernel itself holds a whole jail to.

A group counts what no process shows as its own: files in memory, what waits in sockets and pipes, tables of pages,
threads, and the processor time of children that nobody waits for. And it knows which pages of files, and which names,
the kernel has cached for it: they can be dropped when it is over. It is made below a group of ours that we may make
groups in: as root, or in what a service manager has handed to this user. Without one `Candidate` watches what can be
seen from outside; `gaps` says what that misses.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_GAPS = (
    "no control group: memory and threads are checked several times a second instead of at every moment",
    "no control group: memory of the kernel's own, such as for locks on files and for lists of what is waited for, is "
    "not counted, nor is processor time of children that end unseen and that nobody waits for",
    "no control group: what an exam reads and looks up stays in the kernel's caches, to be told by a delay",
)
_PREFIX = "nocturne-"
_ROOM = 1.02  # the kernel's bound, beside ours: who is looked at in time is told what it used
_ROOM_BYTES = 16 << 20
_PATIENCE = 5.0  # seconds until a group whose processes were killed is empty
_NUMBERS = itertools.count()


@dataclass(frozen=True)
class _Controller:
    """Where one controller keeps its groups: the folder that ours is made in, and the names of its files."""

    folder: Path
    bound: str
    further: tuple[str, ...]  # files that take the same bound, if they are there
    used: str
    events: str


_OLD_EVENTS = "memory.oom_control"
_OLD_SOCKETS = "memory.kmem.tcp.{}"  # version 1 counts them by themselves, and only if they have a bound
# Files of version 2, and of version 1 where they differ.
_FILES = {
    "memory": ("memory.max", (), "memory.current", "memory.events"),
    "pids": ("pids.max", (), "pids.current", "pids.events"),
}
_OLD_FILES = _FILES | {
    "memory": (
        "memory.limit_in_bytes",
        ("memory.memsw.limit_in_bytes", _OLD_SOCKETS.format("limit_in_bytes")),
        "memory.usage_in_bytes",
        _OLD_EVENTS,
    )
}

# A group is in two parts: what an exam brings into the kernel's caches is dropped, what training brought stays.
_PARTS = ("before", "after")
# What drops a group's caches: version 1, and version 2 since Linux 5.19. Some of it goes at the second word only.
_OLD_DROP, _DROP = "memory.force_empty", "memory.reclaim"
_TRIES, _LITTLE = 5, 1 << 16
# Processor time, in nanoseconds by a controller of version 1; version 2 counts it in every group.
_OLD_CLOCK, _CLOCK = "cpuacct.usage", "cpu.stat"


@dataclass
class ControlGroup:
    """A group for the processes of one jail: its folder for each controller, that of memory first. `joining` are open
    descriptors that a process joins it by, `clock` is the file that counts processor time, if there is one."""

    folders: tuple[Path, ...]
    memory: _Controller
    clock: Path | None = None
    joining: tuple[int, ...] = ()

    def join(self) -> None:
        """Put this process into the group, and all that it will start, if the kernel lets us. Safe between fork and
        exec; `holds` tells."""
        for each in self.joining:
            with contextlib.suppress(OSError):
                os.write(each, b"0")

    def holds(self, pid: int) -> bool:
        """Whether a process is in the group, for each controller. Closes what was needed to join."""
        self._close_joining()
        return all(pid in _members(folder) for folder in self.folders)

    def turn(self) -> None:
        """Let what the kernel caches for the group from now on be told from what it has cached so far; see `forget`."""
        first, second = (self.folders[0] / name for name in _PARTS)
        with contextlib.suppress(
            OSError
        ):  # gone meanwhile, or not ours to move: then nothing can be forgotten
            self._make_part(second)
            for _ in range(_TRIES):
                for pid in _own_members(first):
                    (second / "cgroup.procs").write_text(str(pid))

    def forget(self) -> None:
        """Have the kernel drop what it has cached for the group since `turn`, pages of files and names that were looked
        up, so that nobody who comes later can tell by a delay what they were. To be called when its processes have
        ended."""
        folder = self.folders[0] / _PARTS[1]
        ways = ((folder / _OLD_DROP, lambda held: "0"), (folder / _DROP, str))
        for file, word in ways:
            for _ in range(_TRIES if file.exists() else 0):
                before = self._used(folder)
                with contextlib.suppress(OSError):  # it says so if it could not drop all of that
                    file.write_text(word(before))
                if before - self._used(folder) < _LITTLE:
                    return

    def _make_part(self, folder: Path) -> None:
        folder.mkdir()
        name = _OLD_SOCKETS.format("limit_in_bytes")  # only where there is a bound are they counted at all
        if (folder.parent / name).exists():
            _set(folder / name, (folder.parent / name).read_text().strip())

    def _used(self, folder: Path) -> int:
        return int((folder / self.memory.used).read_text())

    def memory_mb(self) -> float:
        """Return the MiB that the group uses now, without pages of files on a disk that the kernel can drop."""
        folder = self.folders[0]
        used = int((folder / self.memory.used).read_text())
        with contextlib.suppress(FileNotFoundError):
            used += int((folder / _OLD_SOCKETS.format("usage_in_bytes")).read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        droppable = sum(
            int(stat.get(f"total_{name}", stat.get(name, 0)))
            for name in ("inactive_file", "active_file", "slab_reclaimable")
        )
        return max(0, used - droppable) / 2**20

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that all processes of the group have used, dead ones too; 0 if nobody counts them."""
        if self.clock is None:
            return 0.0
        text = self.clock.read_text()
        if self.clock.name == _OLD_CLOCK:
            return int(text) / 1e9
        return int(dict(line.split() for line in text.splitlines())["usage_usec"]) / 1e6

    def oom_kills(self) -> int:
        """Return how many processes of the group the kernel has ended because the group was full."""
        folder, found = self.folders[0], 0
        # Version 1 tells each part's by itself.
        parts = [folder / name for name in _PARTS] if self.memory.events == _OLD_EVENTS else []
        for file in (each / self.memory.events for each in (folder, *parts)):
            with contextlib.suppress(FileNotFoundError):
                told = dict(line.split() for line in file.read_text().splitlines())
                found += int(told.get("oom_kill", 0))
        return found

    def close(self) -> None:
        """End what is left in the group, and remove it."""
        self._close_joining()
        until = time.monotonic() + _PATIENCE
        for folder in self.folders:
            while not _removed(folder) and time.monotonic() < until:
                for pid in _members(folder):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.005)

    def _close_joining(self) -> None:
        for each in self.joining:
            os.close(each)
        self.joining = ()


@functools.cache
def gaps() -> tuple[str, ...]:
    """Return what stays open on this machine, in a sentence each: nothing if a process can be put into a group."""
    group = make(1 << 30, 100)
    if group is None:
        return _GAPS
    try:
        trial = subprocess.Popen(["/bin/sleep", "20"], preexec_fn=group.join)
        held = group.holds(trial.pid)
        trial.kill()
        trial.wait()
        return () if held else _GAPS
    except (OSError, subprocess.SubprocessError):
        return _GAPS
    finally:
        group.close()


def make(memory_bytes: int, tasks: int) -> ControlGroup | None:
    """Return a new group that holds so many bytes and so many processes and threads; None if this machine lets us
    make none that counts both."""
    memory, pids = _controller("memory"), _controller("pids")
    if memory is None or pids is None:
        return None
    bounds = ((memory, int(memory_bytes * _ROOM) + _ROOM_BYTES), (pids, tasks))
    name = f"{_PREFIX}{os.getpid()}-{next(_NUMBERS)}"
    folders = [each.folder / name for each, _ in bounds]
    clock = folders[0] / _CLOCK
    accounts = _own_groups().get("cpuacct")
    if accounts is not None and os.access(accounts, os.W_OK):
        folders.append(accounts / name)
        clock = folders[-1] / _OLD_CLOCK
    group = ControlGroup(tuple(dict.fromkeys(folders)), memory, clock)
    try:
        for folder in group.folders:
            _sweep(folder.parent)
            folder.mkdir()
            _set(folder / "memory.use_hierarchy", 1)  # of old kernels
            _set(folder / "cgroup.subtree_control", "+memory")
        for controller, bound in bounds:
            (controller.folder / name / controller.bound).write_text(f"{bound}\n")
            for further in controller.further:
                _set(controller.folder / name / further, bound)
        _set(group.folders[0] / "memory.swap.max", 0)
        group._make_part(group.folders[0] / _PARTS[0])
        for folder in (group.folders[0] / _PARTS[0], *group.folders[1:]):
            group.joining += (os.open(folder / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC),)
        if not clock.exists():
            group.clock = None
        group.memory_mb(), group.oom_kills(), group.cpu_seconds()
    except (OSError, ValueError):
        group.close()
        return None
    return group


def _set(file: Path, bound: int | str) -> None:
    """Set a bound that not every kernel knows."""
    if file.exists():
        with contextlib.suppress(OSError):
            file.write_text(f"{bound}\n")


def _controller(name: str) -> _Controller | None:
    """Return where we can make groups for a controller, None if there is no such place."""
    own = _own_groups()
    if name in own:
        return _Controller(own[name], *_OLD_FILES[name])
    for folder in (own[""], *own[""].parents) if "" in own else ():
        with contextlib.suppress(OSError):  # above the mount there is no such file
            handed_on = (folder / "cgroup.subtree_control").read_text().split()
            if name in handed_on and os.access(folder / "cgroup.procs", os.W_OK):
                return _Controller(folder, *_FILES[name])
    return None


def _own_groups() -> dict[str, Path]:
    """Return the folder of our own group for each controller of version 1, and for "" that of version 2."""
    places = dict(_mounts())
    found = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            if name in places:
                root, place = places[name]
                inside = os.path.relpath(path, root) if root != "/" else path.lstrip("/")
                found[name] = Path(place, "" if inside.startswith("..") else inside)
    return found


def _mounts() -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each controller of version 1 and "" for version 2, with the root and the place of its mount."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        about, _, rest = line.partition(" - ")
        root, place = about.split()[3:5]
        kind, _, options = rest.split(" ", 2)
        if kind == "cgroup2":
            yield "", (root, place)
        elif kind == "cgroup":
            yield from ((name, (root, place)) for name in options.split(","))


def _members(folder: Path) -> list[int]:
    """Return the processes in a group and in its parts."""
    return [pid for each in (folder, *(folder / name for name in _PARTS)) for pid in _own_members(each)]


def _own_members(folder: Path) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(each) for each in (folder / "cgroup.procs").read_text().split()]
    return []


def _removed(folder: Path) -> bool:
    for part in (folder / name for name in _PARTS):
        if part.exists() and not _removed(part):
            return False
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _sweep(folder: Path) -> None:
    """Remove groups of evaluators that ended before they could."""
    for left in folder.glob(f"{_PREFIX}*-*"):
        pid = left.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            _removed(left)
