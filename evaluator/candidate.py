"""The one place where a process of the candidate's side is started, watched and ended.

Everything that must be true of it is decided here: its environment, its limits, its jail.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator import caches, cores, faults, holdings, proctree
from evaluator.errors import CandidateFailed
from evaluator.interpreter.task_python import TaskPython
from evaluator.jail import control_group, in_place
from evaluator.jail.control_group import ControlGroup
from evaluator.jail.file_system import FileSystem
from evaluator.jail.launch import Jail, Launch
from evaluator.jail.limits import ProcessLimits
from evaluator.log import Log
from evaluator.on_disk import OnDisk
from evaluator.settings import Settings

# What is handed on from our own environment: where programs, libraries and devices are, and no credentials.
_HANDED_ON = ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "TZ")

_MOST_READS = 1024  # of 64 KiB
_LOOK_AT_MEMORY = 0.2  # seconds between two looks at all that is held in memory, and at the least
_PAUSE_PER_LOOK = 10.0  # so many times what a look takes, it costs a tenth of our time at the most
# Of the memory, for each of the four places that a candidate may write to.
_MEMORY_PART, _SCRATCH_PART, _SCRATCH_MOST_MB = 0.9, 0.2, 16384


@dataclass(frozen=True)
class Bounds:
    """What all processes of a jail together may use: memory and scratch in MiB, and how many they may be.

    Files in memory are memory: scratch, /tmp and /dev/shm too, but for what the working folder begins with. Threads
    count like processes beyond those that libraries start by themselves, `proctree.OWN_THREADS` in each process.
    """

    memory_mb: float
    scratch_mb: float
    processes: int


def bounds(settings: Settings) -> Bounds:
    """Return the bounds that `settings` set, or a share of this machine's memory."""
    available = _available_mb()
    return Bounds(
        memory_mb=settings.memory_mb or available * _MEMORY_PART,
        scratch_mb=settings.scratch_mb or min(available * _SCRATCH_PART, _SCRATCH_MOST_MB),
        processes=settings.processes,
    )


def environment(
    settings: Settings,
    python: TaskPython,
    *,
    tree: Path,
    seed: int,
    scratch: Path,
    amount: float | None = None,
    jailed: bool = True,
) -> dict[str, str]:
    """Return a candidate's whole environment; it runs in `tree`, and `scratch` is its home, temporary folder and
    cache. Without a jail it has a network, and packages may use it."""
    values = {
        "PATH": python.search_path(os.environ.get("PATH")),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "XDG_CACHE_HOME": str(scratch / ".cache"),
        **caches.environment(scratch, offline=jailed),
        "NOCTURNE_SEED": str(seed),
        "NOCTURNE_BUDGET": settings.budget.kind,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
    }
    if amount is not None:
        values["NOCTURNE_TIME_BUDGET"] = repr(amount)
    if settings.threads is not None:
        values |= {name: str(settings.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    handed_on = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
    return values | python.variables(tree) | handed_on


class Candidate:
    """A running process in its jail: its output goes to `log`, and it and all it starts are ended by `close`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        jail: Jail,
        file_system: FileSystem,
        folder: Path,
        env: Mapping[str, str],
        log: Log,
        bounds: Bounds,
        fds: Sequence[int] = (),
        threads: int | None = None,
        alone: bool = False,
    ) -> None:
        """Start `command` in `folder`, bound to as many cores as `threads` says if it is given. If it is to stay
        `alone`, it can start neither processes nor threads.

        Raises `OSError` if it can't be started.
        """
        proctree.become_subreaper()
        self.log = log
        self.bounds = bounds
        limits = ProcessLimits(
            file_bytes=int(bounds.scratch_mb * 2**20),
            cores=cores.claim(threads) if threads else None,
            alone=alone,
        )
        launch = jail.launch(
            command,
            env={**jail.variables, **env},
            folder=folder,
            file_system=file_system,
            limits=limits,
            fds=fds,
        )
        self._jailed = jail.name != "none"
        self._forgotten = False
        self._of_the_jail = jail.processes
        self._leaves = launch.leaves
        self._on_disk = OnDisk(launch.leaves)
        self._filled = file_system.tree is not None
        self._tree_mb = file_system.tree.size / 2**20 if file_system.tree is not None else 0.0
        self._memory_mb = bounds.memory_mb + self._tree_mb  # what it begins with is not the candidate's
        self._most_written_mb = bounds.scratch_mb + self._tree_mb
        self._before = holdings.machine()
        tasks = self._of_the_jail + 1 + bounds.processes * (1 + proctree.OWN_THREADS)
        group = control_group.make(int(self._memory_mb * 2**20), tasks)
        self._process = _started(launch, group)
        if group is not None and not group.holds(self._process.pid):
            group.close()
            group = None
        self._group = group
        assert self._process.stdout is not None
        self._tree = proctree.Tree(self._process.pid, orphans=jail.in_place)
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._output_open = True
        self._given = frozenset(os.fstat(fd).st_ino for fd in fds)
        in_memory = (file_system.scratch, Path("/tmp"), Path("/dev/shm"))
        self._places = (*in_memory, *([file_system.tree.place] if file_system.tree is not None else []))
        self._held_mb = 0.0
        self._held_next = 0.0
        self._oom_kills = faults.oom_kills()
        self.peak_memory_mb = 0.0
        self.cpu_seconds = 0.0

    @property
    def pid(self) -> int:
        """The number of the main process: with a jail, of what makes that."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status if the main process has ended, negative for a signal, else None."""
        status = self._status()
        # From inside a jail a signal comes as shells tell it.
        return 128 - status if status is not None and status > 128 and self._jailed else status

    def _status(self) -> int | None:
        """Look whether it has ended, and leave it there to be measured until `close` takes it away."""
        if self._process.returncode is not None:
            return self._process.returncode
        try:
            ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return self._process.poll()
        if ended is None:
            return None
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    def around(self) -> faults.Around:
        """Return what is so around it, for the question who ended it."""
        ended = faults.oom_kills() - self._oom_kills
        return faults.Around(
            max(self.peak_memory_mb, self._held_mb), self.bounds.memory_mb, ended, self._ran_out()
        )

    def measure(self) -> proctree.Usage:
        """Return what the candidate uses: CPU seconds since its start, memory and processes now. `cpu_seconds` of this
        object counts children, too, that nobody waited for, if there is a control group."""
        used = self._tree.usage()
        self.peak_memory_mb = max(self.peak_memory_mb, used.memory_mb)
        counted = self._group.cpu_seconds() if self._group is not None else 0.0
        self.cpu_seconds = max(used.cpu_seconds, counted)
        return used

    def counted(self) -> tuple[float, float] | None:
        """Return the CPU seconds that all of it has used, and the MiB that it uses now, as its control group counts
        them: children that have ended and files in memory too. None if nobody counts."""
        if self._group is None or self._group.clock is None:
            return None
        return self._group.cpu_seconds(), self._group.memory_mb()

    def check(self) -> proctree.Usage:
        """Return what `measure` does; raise `CandidateFailed` if it is more than the bounds allow."""
        used = self.measure()
        held_mb = self._look_at_memory(used)
        if held_mb > self._memory_mb or self._ran_out():
            raise CandidateFailed(
                "out_of_memory",
                f"used {held_mb:.0f} MiB of memory; {self._memory_mb:.0f} are allowed",
                defence="limits",
            )
        written_mb = self._on_disk.look() if self._leaves else 0.0
        if written_mb > self._most_written_mb:
            raise CandidateFailed(
                "refused",
                f"wrote {written_mb:.0f} MiB; {self._most_written_mb:.0f} are allowed (`scratch_mb`)",
                defence="limits",
            )
        started = used.processes - self._of_the_jail
        if self._filled and started > self.bounds.processes and self._tree.runs("cp"):
            started -= 1  # who fills the working folder
        if started + used.threads > self.bounds.processes:
            threads = f" with {used.threads} more threads than libraries start" if used.threads else ""
            raise CandidateFailed(
                "refused",
                f"started {started} processes{threads}; {self.bounds.processes} are allowed (`processes`)",
                defence="limits",
            )
        return used

    def begin_forgetting(self) -> None:
        """Have the kernel drop, when this is closed, what it caches for the candidate from now on: so that nobody can
        tell by a delay which files it read and which names it looked up. Nothing is dropped without a control group."""
        if self._group is not None:
            self._group.turn()
            self._forgotten = True

    def _look_at_memory(self, used: proctree.Usage) -> float:
        """Return the MiB that it holds: as its control group counts them, or as they can be seen from outside."""
        began = time.monotonic()
        if began < self._held_next:
            return self._held_mb
        if self._group is not None:
            self._held_mb = self._group.memory_mb()
            # What no process shows as its own is memory that a score may not cost, too.
            self.peak_memory_mb = max(self.peak_memory_mb, self._held_mb - self._tree_mb)
        elif self._jailed:
            self._held_mb = holdings.held_mb(used.pids, self._places, self._given, self._before)
        else:
            self._held_mb = used.memory_mb + self._tree.memory_files_mb(without=self._given)
        ended = time.monotonic()
        self._held_next = ended + max(_LOOK_AT_MEMORY, _PAUSE_PER_LOOK * (ended - began))
        return self._held_mb

    def _ran_out(self) -> bool:
        """Whether the kernel has ended a process of it for want of memory within its own bound."""
        return self._group is not None and self._group.oom_kills() > 0

    def listen(self, seconds: float, readers: Sequence[Any] = (), writers: Sequence[Any] = ()) -> None:
        """Wait up to `seconds` for output, which goes to the log, or for one of the others to be ready."""
        mine = [self._output] if self._output_open else []
        if self._output in select.select([*mine, *readers], writers, [], seconds)[0]:
            self._take()

    def drain(self) -> None:
        """Move the output that is there already to the log; one that never pauses is cut short."""
        for _ in range(_MOST_READS):
            if not self._output_open or not select.select([self._output], [], [], 0)[0]:
                return
            self._take()

    def close(self) -> None:
        """End the candidate and everything it started."""
        self.measure()
        self._tree.end()
        # One that is stuck inside the kernel (a hung device) must not cost us what we know already.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        self.drain()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._output_open = False
        if self._group is not None:
            if self._forgotten:
                self._group.forget()
            self._group.close()
            self._group = None
        in_place.put_away(self._leaves)

    def _take(self) -> None:
        try:
            data = os.read(self._output, 1 << 16)
        except BlockingIOError:
            return
        if data:
            self.log.add(data)
        else:
            self._output_open = False


def _available_mb() -> float:
    """Return the memory that is free for a candidate: the machine's, or what our control group leaves."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    sizes = {line.partition(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.endswith("kB")}
    found = sizes.get("MemAvailable", sizes["MemTotal"])
    with contextlib.suppress(OSError, ValueError):
        found = min(found, int(Path("/sys/fs/cgroup/memory.max").read_text()) / 2**20)
    return found


def _started(launch: Launch, group: ControlGroup | None) -> subprocess.Popen[bytes]:
    """Start what a jail has made ready, in `group` if there is one; raise `OSError` if it can't be started."""

    def begin() -> None:
        proctree.in_new_process()
        if group is not None:
            group.join()
        launch.in_new_process()

    try:
        return subprocess.Popen(
            launch.argv,
            cwd=launch.folder,
            env=dict(launch.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=launch.fds,
            start_new_session=True,
            preexec_fn=begin,  # safe: we have one thread
        )
    except BaseException:
        if group is not None:
            group.close()
        raise
    finally:
        launch.close()
