"""One process of a run of kind `command`: started, watched, ended, and what it cost."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evaluator import crash, readable
from evaluator.candidate import Candidate, bounds
from evaluator.errors import CandidateFailed, UserError
from evaluator.faults import Around
from evaluator.jail.file_system import FileSystem
from evaluator.job import Job, Say
from evaluator.log import Log
from evaluator.smoke import SmokeOver
from evaluator.training import file_systems

_TICK_SECONDS = 0.05
_LOOK_SECONDS = 0.2
_HEAD = "[nocturne] "


@dataclass(frozen=True)
class Part:
    """A process to start in a jail of its own, in the working folder of its `file_system`. `title` heads what it
    prints in the log if there are several."""

    command: tuple[str, ...]
    file_system: FileSystem
    env: Mapping[str, str]
    title: str = ""

    @property
    def folder(self) -> Path:
        """Where it runs."""
        return file_systems.working_folder(self.file_system)


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock and of processors, and the most memory in MiB."""

    seconds: float
    cpu_seconds: float
    memory_mb: float


def start(job: Job, part: Part, log: Log, fds: Sequence[int] = ()) -> Candidate:
    """Start a part, which inherits `fds`. The only place that knows how a process is started."""
    try:
        return Candidate(
            part.command, jail=job.jail, file_system=part.file_system, folder=part.folder, env=part.env, log=log,
            bounds=bounds(job.settings), fds=fds, threads=job.settings.threads,
        )  # fmt: skip
    except OSError as error:
        raise UserError(f"command: {part.command[0]}: can't be started: {error.strerror}") from None


class Over(Exception):
    """The part has ended: nobody waits for an answer any more."""


class Beside(Protocol):
    """What a part has beside it: it is served when `reader` can be read, and calls `look` while that takes time,
    which raises `Over` if the part has ended."""

    @property
    def reader(self) -> socket.socket: ...

    def serve(self, look: Callable[[], None]) -> None: ...


def run(
    job: Job,
    part: Part,
    log: Log,
    say: Say,
    costs: list[Cost],
    fds: Sequence[int] = (),
    beside: Beside | None = None,
) -> None:
    """Run a part to its end, and add what it cost to `costs` however it ended.

    Raises `CandidateFailed` if it fails or passes a limit.
    """
    if part.title:
        log.add(f"\n{_HEAD}{part.title}\n".encode())
    began = time.monotonic()
    process = start(job, part, log, fds)
    try:
        _Watch(process, job, say, began).wait(beside)
        process.drain()
    finally:
        process.close()
        log.add(b"\n")  # a line that it began is not the beginning of the next process's first
        costs.append(Cost(time.monotonic() - began, process.cpu_seconds, process.peak_memory_mb))
    if process.returncode:
        raise diagnosed(process.returncode, part, log, "", process.around())


def diagnosed(
    status: int, part: Part, log: Log, otherwise: str, around: Around | None = None
) -> CandidateFailed:
    """Return why a part failed, told from what it printed itself."""
    lines = list(log.lines)
    heads = [place for place, line in enumerate(lines) if line == f"{_HEAD}{part.title}"]
    own = lines[heads[-1] + 1 :] if heads else lines
    found = crash.diagnose(status, own, log.progress, str(part.folder), otherwise, around)
    key = readable.key_for_missing(found.reason, part.env["HOME"])
    return CandidateFailed(found.kind, f"{found.reason}; {key}", found.traceback) if key else found


class _Watch:
    """Waits for the end of a part, and raises `CandidateFailed` if it passes a limit."""

    def __init__(self, process: Candidate, job: Job, say: Say, began: float) -> None:
        self._process, self._job, self._say, self._began = process, job, say, began
        self._next_look, self._next_told = began, began + _LOOK_SECONDS

    def wait(self, beside: Beside | None) -> None:
        """Return when it has ended."""
        readers = [] if beside is None else [beside.reader]
        while self._process.returncode is None:
            seconds = max(min(_TICK_SECONDS, self._next_look - time.monotonic()), 0.0)
            self._process.listen(seconds, readers)
            if beside is not None:
                beside.serve(self._look_beside)
            self.look()

    def _look_beside(self) -> None:
        if self._process.returncode is not None:
            raise Over
        self._process.drain()
        self.look(waits=True)

    def look(self, *, waits: bool = False) -> None:
        """Look at what it uses, if it is time to; if it only `waits`, at the time alone."""
        now = time.monotonic()
        if now < self._next_look:
            return
        # Often at first: a process may be short, and what nobody has seen it use is not known.
        passed = now - self._began
        self._next_look = now + min(max(passed / 4, _LOOK_SECONDS / 20), _LOOK_SECONDS)
        used = None if waits else self._process.check()
        if self._job.smoke is not None and passed > self._job.smoke:
            raise SmokeOver("running")
        limit = self._job.settings.timeout_seconds
        if passed > limit:
            raise CandidateFailed("timeout", f"still running after {limit:g} seconds", defence="limits")
        progress = self._process.log.progress
        progress.mark(passed)
        if now >= self._next_told:
            self._next_told = now + 1.0
            latest = progress.latest
            self._say(
                {
                    "event": "progress",
                    "step": latest.step if latest else None,
                    "loss": latest.loss if latest else None,
                    "seconds": round(passed, 3),
                    "fraction": round(min(passed / limit, 1.0), 4),
                    "tokens_per_second": latest.tokens_per_second if latest else None,
                    "memory_mb": round(used.memory_mb, 1) if used else None,
                }
            )
