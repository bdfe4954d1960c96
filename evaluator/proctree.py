"""Processes and everything they start: what they use, how to end them all, and dying with our own parent.

Linux only (`/proc`, `prctl`). A jailed process brings an init of its own, which keeps its orphans. Without a
jail orphans come to us, because we are their subreaper, so a candidate's processes are found either way.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import UserError

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_mains: set[int] = set()  # of all trees: an orphan can belong to none of the others

_LIBC = ctypes.CDLL(None, use_errno=True)
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STATE, _THREADS, _RESIDENT = 0, 17, 21  # where they stand behind the name in a line of `stat`
# What a library starts in a process by itself: two pools of a thread for each core, and some.
OWN_THREADS = 2 * len(os.sched_getaffinity(0)) + 16


@dataclass(frozen=True)
class Usage:
    """CPU seconds so far (dead children included), resident memory in MiB now, the processes now, parents first, and
    how many threads there are beyond `OWN_THREADS` of each process."""

    cpu_seconds: float
    memory_mb: float
    pids: tuple[int, ...]
    threads: int

    @property
    def processes(self) -> int:
        """How many they are."""
        return len(self.pids)


@dataclass(frozen=True)
class _Stat:
    pid: int
    parent: int
    state: str
    own_seconds: float
    waited_seconds: float  # of children that it has waited for
    threads: int
    began: int
    memory_mb: float


def require_linux() -> None:
    """Raise `UserError` if processes can't be followed."""
    if not Path("/proc/self/stat").exists():
        raise UserError(
            "scoring needs Linux with /proc: there is no other way to measure and end a candidate"
        )


def become_subreaper() -> None:
    """Make orphaned descendants our children (prctl(2))."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Have the kernel end this process when the thread that started it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def in_new_process() -> None:
    """What runs between fork and exec of a candidate: it dies with us, and takes signals as usual."""
    die_with_parent()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


class Tree:
    """A process that we started, and everything below it; with `orphans`, also what comes to us from it."""

    def __init__(self, main: int, *, orphans: bool = False) -> None:
        self.main = main
        self._orphans = orphans
        _mains.add(main)
        self._seen: dict[tuple[int, int], float] = {}
        self._most = 0.0

    def usage(self) -> Usage:
        """Return what the tree uses.

        A child that is waited for leaves its seconds to its parent. One that is not (its parent ignores
        SIGCHLD) would take them away with it; those that we saw alive are counted all the same.
        """
        alive = list(self._members())
        for each in alive:
            self._seen[each.pid, each.began] = each.own_seconds
            if self._orphans and each.state == "Z" and each.pid != self.main and each.parent == os.getpid():
                _reap(each.pid)
        kernel = sum(each.own_seconds + each.waited_seconds for each in alive)
        self._most = max(self._most, kernel, sum(self._seen.values()))
        threads = sum(max(0, each.threads - OWN_THREADS) for each in alive)
        pids = tuple(each.pid for each in alive)
        return Usage(self._most, sum(each.memory_mb for each in alive), pids, threads)

    def runs(self, program: str) -> bool:
        """Whether one of the processes calls itself `program` (proc(5), comm)."""
        for each in self._members():
            with contextlib.suppress(OSError):  # it has ended
                if Path(f"/proc/{each.pid}/comm").read_text(errors="replace").strip() == program:
                    return True
        return False

    def memory_files_mb(self, without: Set[int] = frozenset()) -> float:
        """Return the MiB in files without a name (memfd_create(2)) that the tree has open.

        They belong to no process's resident memory before they are mapped. `without` are inodes of ours.
        """
        found: dict[int, int] = {}
        for each in self._members():
            with contextlib.suppress(OSError):  # it has ended
                for entry in os.scandir(f"{living(each.pid)}/fd"):
                    with contextlib.suppress(OSError):  # it was closed meanwhile
                        if str(Path(entry.path).readlink()).startswith("/memfd:"):
                            stat = Path(entry.path).stat()
                            found[stat.st_ino] = stat.st_blocks * 512
        return sum(size for inode, size in found.items() if inode not in without) / 2**20

    def end(self, patience: float = 10.0) -> None:
        """Kill all of it, and wait for all but the main process, which its owner waits for.

        The main process goes last: what is below it would no longer be found there without it. It is stopped
        meanwhile, since what makes a jail must not bring forth another process between our look and our word.
        Returns after `patience` seconds at the latest, even if one is stuck inside the kernel.
        """
        until = time.monotonic() + patience
        _signal(self.main, signal.SIGSTOP)
        time.sleep(0.001)
        below: set[int] = set()
        while time.monotonic() < until:
            alive = [each for each in (*self._members(), *self._left_over()) if each.pid != self.main]
            below.update(each.pid for each in alive)
            for each in alive:  # parents first: a jail's other processes end with its first
                if each.state == "Z":
                    _reap(each.pid)
                else:
                    _signal(each.pid, signal.SIGKILL)
            if all(each.state == "Z" for each in alive):
                break
            time.sleep(0.005)
        _signal(self.main, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while time.monotonic() < until and not _ended(self.main):
                time.sleep(0.001)
        for pid in below:  # its dead children are ours now
            _reap(pid)
        _mains.discard(self.main)

    def _left_over(self) -> Iterator[_Stat]:
        """Yield what comes to us from a jail whose main process has ended: its first, which may still live."""
        if not self._orphans:
            for each in _below(os.getpid(), without=_mains):
                if _is_in_a_jail(each.pid):
                    yield each

    def _members(self) -> Iterator[_Stat]:
        if not self._orphans:
            return _below(self.main, itself=True)
        return _below(os.getpid(), without=_mains - {self.main})


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _ended(child: int) -> bool:
    """Whether a child has ended, which stays there to be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _is_in_a_jail(pid: int) -> bool:
    """Whether a process lives in a process namespace below ours: it has a number in each (proc(5))."""
    with contextlib.suppress(OSError):
        for line in Path("/proc", str(pid), "status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return len(line.split()) > 2
    return False


def _reap(pid: int) -> None:
    """Take away what may be a dead child of ours."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _below(root: int, *, itself: bool = False, without: Set[int] = frozenset()) -> Iterator[_Stat]:
    """Yield all processes below `root`, parents before children; leave out `without` and what is below those."""
    children: dict[int, list[_Stat]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            stat = _read_stat(entry.name)
            if stat is not None:
                children.setdefault(stat.parent, []).append(stat)
                if itself and stat.pid == root:
                    yield stat
    waiting = [root]
    while waiting:
        for stat in children.get(waiting.pop(), ()):
            if stat.pid not in without:
                yield stat
                waiting.append(stat.pid)


def living(pid: int | str) -> str:
    """Return the folder of a process in /proc; if its first thread has ended and others go on, that of one of these.

    What the process itself shows of memory and descriptors is then nothing (proc(5)), and its state that of the dead.
    """
    folder = f"/proc/{pid}"
    fields = _fields(folder)
    if fields is not None and fields[_STATE] == b"Z" and int(fields[_THREADS]) > 1:
        with contextlib.suppress(OSError):
            for each in os.scandir(f"{folder}/task"):
                of_thread = _fields(each.path)
                if of_thread is not None and of_thread[_STATE] not in (b"Z", b"X"):
                    return each.path
    return folder


def stat_fields(pid: int | str) -> list[bytes] | None:
    """Return the fields of /proc/PID/stat behind the name (proc(5)), from the state on; None if it has ended.

    State and memory are those of a thread that lives, if there is one.
    """
    fields = _fields(f"/proc/{pid}")
    if fields is not None and fields[_STATE] == b"Z" and int(fields[_THREADS]) > 1:
        of_thread = _fields(living(pid))
        if of_thread is not None:
            fields[_STATE], fields[_RESIDENT] = of_thread[_STATE], of_thread[_RESIDENT]
    return fields


def _fields(folder: str) -> list[bytes] | None:
    try:
        handle = os.open(f"{folder}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.read(handle, 4096).rpartition(b")")[2].split()
    except OSError:
        return None
    finally:
        os.close(handle)


def _read_stat(pid: str) -> _Stat | None:
    """Read /proc/PID/stat; None if the process has ended. The name may hold any character."""
    rest = stat_fields(pid)
    if rest is None:
        return None
    return _Stat(
        pid=int(pid),
        parent=int(rest[1]),
        state=rest[_STATE].decode(),
        own_seconds=(int(rest[11]) + int(rest[12])) / _TICKS,
        waited_seconds=(int(rest[13]) + int(rest[14])) / _TICKS,
        threads=int(rest[_THREADS]),
        began=int(rest[19]),
        memory_mb=int(rest[_RESIDENT]) * _PAGE / 2**20,
    )
