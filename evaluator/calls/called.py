"""One process that is called, in a jail of its own: started, asked, measured by us, and still between two calls."""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evaluator import crash
from evaluator.calls.still import Processes
from evaluator.candidate import Candidate, bounds, environment
from evaluator.errors import CandidateFailed, UserError
from evaluator.jail.file_system import FileSystem
from evaluator.job import Job
from evaluator.log import Log, legible
from evaluator.training import file_systems
from evaluator.training.wire import Frame, Wire
from nocturne_candidate import callee, plain, wire

_MOST = {
    wire.READY: 0,
    wire.LOADED: 0,
    wire.VALUE: wire.NONCE + 4 + plain.MOST,
    wire.RAISED: 1 << 17,
}
_START_SECONDS = 120.0
_LOOK_SECONDS = 0.2
_CHECK_SECONDS = 0.5
_SYNTAX = ("SyntaxError", "IndentationError", "TabError")
_IMPORT = ("ImportError", "ModuleNotFoundError")


class NoAnswer(Exception):
    """A call got none: the class of the failure and one line, and which of our defences spoke."""

    def __init__(self, kind: str, reason: str, defence: str | None = None) -> None:
        self.kind, self.defence = kind, defence
        self.reason = " ".join(legible(reason).split())[:500]
        super().__init__(self.reason)


@dataclass(frozen=True)
class Took:
    """Seconds by the clock, CPU seconds of all processes of the jail, and the most memory in MiB so far."""

    seconds: float
    cpu_seconds: float
    memory_mb: float


class Called:
    """A process for one file. It runs only between a question and its answer.

    Every CPU second of its jail counts, whenever it was used: each call begins where the one before ended.
    """

    def __init__(
        self,
        job: Job,
        file_system: FileSystem,
        library: Path,
        file: str,
        look: Callable[[], None],
        title: str,
    ) -> None:
        """Start it. `look` is called while it is waited for, and raises if the run is over; `title` is what messages
        call it."""
        self._title, self._look = title, look
        self.log = Log()
        folder = file_systems.working_folder(file_system)
        self._folder = folder
        ours, theirs = socket.socketpair()
        user_site = [] if job.python.interpreter.user_base else ["-s"]
        words = [job.python.executable, *user_site, "-B", "-c", callee.START, str(library)]
        jailed = job.jail.name != "none"
        # No seed: a candidate that knows it may know what it will be asked.
        env = environment(
            job.settings, job.python, tree=folder, seed=0, scratch=file_system.scratch, jailed=jailed
        )
        with theirs:
            try:
                self._process = Candidate(
                    [*words, str(theirs.fileno()), file], jail=job.jail, file_system=file_system, folder=folder,
                    env=env, log=self.log, bounds=bounds(job.settings), fds=(theirs.fileno(),),
                    threads=job.settings.threads,
                )  # fmt: skip
            except OSError as error:
                raise UserError(f"call: {file}: can't be started: {error.strerror}") from None
        self._wire = Wire(ours, _MOST, self._wait)
        self._processes = Processes(self._process.pid, jailed=jailed)
        self._cpu = self._memory_mb = 0.0
        self._what = f"{title}: starting it"
        self._began = self._next_look = time.monotonic()
        self._next_check = self._began + _CHECK_SECONDS

    def load(self) -> Took:
        """Let it run its file, and return what that took."""
        self._limited(_START_SECONDS)
        if (frame := self._received()).kind != wire.READY:
            raise self._nonsense(frame)
        self._stopped(0.0)
        self._what = f"{self._title}: loading it"
        frame, took = self._asked(wire.LOAD, b"", _START_SECONDS)
        if frame.kind == wire.RAISED:
            raise self._raised(bytes(frame.body), loading=True)
        if frame.kind != wire.LOADED:
            raise self._nonsense(frame)
        return took

    def ask(self, name: str, body: bytes, seconds: float) -> tuple[bytes, Took]:
        """Return the answer to a call of `name`, as `plain.packed` bytes that nobody has looked into, and what it took.

        Raises `NoAnswer`.
        """
        self._what = f"{self._title}: {name}"
        if self._wire.poll() is not None:
            raise NoAnswer("refused", f"{self._what}: it answered before it was asked", "protocol")
        nonce = secrets.token_bytes(wire.NONCE)
        frame, took = self._asked(wire.CALL, nonce + body, seconds)
        said, rest = bytes(frame.body[: wire.NONCE]), bytes(memoryview(frame.body)[wire.NONCE :])
        if frame.kind not in (wire.VALUE, wire.RAISED) or said != nonce:
            raise self._nonsense(frame)
        if frame.kind == wire.RAISED:
            raise self._raised(rest)
        return rest, took

    def close(self) -> Took:
        """End it and all that it started; return what all of it took."""
        self._process.close()
        self._wire.socket.close()
        self.log.close()
        return Took(time.monotonic() - self._began, self._process.cpu_seconds, self._process.peak_memory_mb)

    def _asked(self, kind: int, body: bytes, seconds: float) -> tuple[Frame, Took]:
        self._limited(seconds)
        began = time.perf_counter()
        self._processes.go_on()
        try:
            self._wire.send(kind, body)
        except (BrokenPipeError, ConnectionResetError):
            raise self._ended() from None
        frame = self._received()
        seconds = time.perf_counter() - began
        took = self._stopped(seconds)
        self._process.drain()
        return frame, took

    def _stopped(self, seconds: float) -> Took:
        """Stop it, and return what it took since it was stopped last, which is `seconds` ago.

        A control group counts children that have ended, whether or not anybody waited for them. Without one those may
        be missing: if some process has ended meanwhile, it counts by the clock.
        """
        self._processes.stop()
        counted = self._process.counted()
        some_ended = self._processes.some_ended()
        cpu, held_mb = (self._processes.cpu_seconds(), 0.0) if counted is None else counted
        took = cpu - self._cpu
        self._cpu = cpu
        if counted is None and some_ended:
            took = max(took, seconds)
        self._memory_mb = max(self._memory_mb, held_mb, self._processes.memory_mb())
        return Took(seconds, took, self._memory_mb)

    def _limited(self, seconds: float) -> None:
        self._since = time.monotonic()
        self._limit = seconds
        self._next_look = self._since + _LOOK_SECONDS / 4

    def _received(self) -> Frame:
        try:
            frame = self._wire.receive()
        except CandidateFailed as error:  # what came is no message
            raise NoAnswer(error.kind, f"{self._what}: {error.reason}", error.defence) from None
        if frame is None:
            raise self._ended()
        return frame

    def _wait(self, end: socket.socket, to_write: bool) -> None:
        self._process.listen(0.02, [] if to_write else [end], [end] if to_write else [])
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + min(max((now - self._since) / 4, _LOOK_SECONDS / 4), _LOOK_SECONDS)
        self._look()
        try:
            self._check(now)
        except CandidateFailed as error:
            raise NoAnswer(error.kind, f"{self._what}: {error.reason}", error.defence) from None
        if now - self._since > self._limit:
            said = f"{self._what}: still running after {self._limit:g} seconds"
            raise NoAnswer("timeout", said, "limits")

    def _check(self, now: float) -> None:
        """Raise `CandidateFailed` if it uses more than it may: all that can be seen twice a second, what is quick to
        see each time."""
        memory_mb, processes = self._processes.now()
        self._memory_mb = max(self._memory_mb, memory_mb)
        most = self._process.bounds
        if now >= self._next_check or memory_mb > most.memory_mb or processes > most.processes:
            self._next_check = now + _CHECK_SECONDS
            self._process.check()

    def _ended(self) -> NoAnswer:
        until = time.monotonic() + 5
        while self._process.returncode is None and time.monotonic() < until:
            self._process.listen(0.02)
        self._process.drain()
        status = self._process.returncode
        if status is None:
            return NoAnswer("refused", f"{self._what}: it closed its end and gave no answer", "protocol")
        otherwise = "it ended its process and gave no answer"
        if status == 0:
            return NoAnswer("error", f"{self._what}: {otherwise}")
        lines = list(self.log.lines)
        found = crash.diagnose(
            status, lines, self.log.progress, str(self._folder), otherwise, self._process.around()
        )
        return NoAnswer(found.kind, f"{self._what}: {found.reason}", found.defence)

    def _raised(self, body: bytes, *, loading: bool = False) -> NoAnswer:
        try:
            told = json.loads(body)
            name, message = str(told["type"])[:100], str(told["message"])[:400]
            self.log.add(f"{str(told['traceback'])[:4000]}\n".encode(errors="replace"))
        except (ValueError, KeyError, TypeError, RecursionError):
            return NoAnswer("refused", f"{self._what}: it sent something that is no message", "protocol")
        kind = "error"
        if loading:
            kind = "syntax" if name in _SYNTAX else "import" if name in _IMPORT else kind
        elif name in ("MemoryError", "OutOfMemoryError"):
            kind = "out_of_memory"
        return NoAnswer(kind, f"{self._what}: {name}: {message}")

    def _nonsense(self, frame: Frame) -> NoAnswer:
        return NoAnswer("refused", f"{self._what}: it sent something that is no answer", "protocol")
