"""Who starts and asks the processes: the evaluator in a run, or we ourselves if a script runs by hand."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from . import callee, plain, wire

_SMALL = 1 << 16
_FIRST_SECONDS = 120.0  # a process may take so long to start and load


@dataclass(frozen=True)
class Measured:
    """What a call took: seconds by the clock, CPU seconds of all its processes, and the most memory in MiB so far."""

    seconds: float
    cpu_seconds: float
    memory_mb: float


class CandidateError(Exception):
    """A call gave no answer. `kind` is why: error, import, syntax, timeout, killed, out_of_memory or refused."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind = kind
        self.reason = " ".join(reason.split())[:500]
        super().__init__(self.reason)


class Driver(Protocol):
    def start(self, file: str, which: str) -> tuple[int, Measured]:
        """Start a process for the candidate's or the reference's `file`; return its number and what loading took."""
        ...

    def ask(self, process: int, name: str, question: bytes, limit: float) -> tuple[Measured, memoryview]:
        """Return what a call of `name` took, and its answer as bytes; `question` is `plain.packed` of name, positional
        and named arguments. Raises `CandidateError`; the process has ended then, unless it raised an exception
        itself."""
        ...

    def end(self, process: int) -> None: ...

    def blame(self, error: CandidateError) -> None:
        """Say that an answer was none."""
        ...

    def metric(self, values: dict[str, float]) -> None: ...


def driver() -> Driver:
    """Return who is there: the evaluator if this script runs in its jail."""
    given = os.environ.get(wire.VARIABLE)
    if given is None:
        return ByHand()
    version, _, descriptor = given.partition(":")
    if version != wire.VERSION:
        raise RuntimeError(
            "this copy of nocturne_candidate is of another version than Nocturne: delete it, or copy the folder anew"
        )
    try:
        return Evaluator(wire.Channel(socket.socket(fileno=int(descriptor))))
    except OSError:
        raise RuntimeError(
            "nocturne_candidate is for the script that `evaluator.command` starts, and for no process below it"
        ) from None


class Evaluator:
    """The evaluator at the other end of a socket."""

    def __init__(self, channel: wire.Channel) -> None:
        self._channel = channel

    def start(self, file: str, which: str) -> tuple[int, Measured]:
        self._channel.say(wire.START, {"file": file, "which": which})
        told = json.loads(self._reply(wire.DONE))
        return told["process"], Measured(*told["measured"])

    def ask(self, process: int, name: str, question: bytes, limit: float) -> tuple[Measured, memoryview]:
        said = name.encode()
        head = wire.ASKED.pack(process, limit, len(said))
        self._channel.send(wire.ASK, head, said, question)
        body = self._reply(wire.ANSWER)
        return Measured(*wire.MEASURED.unpack_from(body)), memoryview(body)[wire.MEASURED.size :]

    def end(self, process: int) -> None:
        self._channel.send(wire.END, process.to_bytes(4, "little"))

    def blame(self, error: CandidateError) -> None:
        self._channel.say(wire.BLAME, {"kind": error.kind, "reason": error.reason})

    def metric(self, values: dict[str, float]) -> None:
        self._channel.say(wire.METRIC, values)

    def _reply(self, wanted: int) -> bytearray:
        kind, body = self._channel.receive(plain.MOST + _SMALL)
        if kind == wire.FAILED:
            told = json.loads(body)
            raise CandidateError(told["kind"], told["reason"])
        assert kind == wanted
        return body


class ByHand:
    """No evaluator: the processes run as the user, without a jail, and are only as trustworthy as the user's files."""

    def __init__(self) -> None:
        self._processes: dict[int, tuple[subprocess.Popen[bytes], wire.Channel, str]] = {}
        self._count = 0

    def start(self, file: str, which: str) -> tuple[int, Measured]:
        ours, theirs = socket.socketpair()
        committed = _committed(file) if which == "reference" else None
        with theirs, tempfile.NamedTemporaryFile(suffix=".txt") as text:
            text.write(committed or b"")
            text.flush()
            library = str(Path(__file__).resolve().parents[1])
            words = [sys.executable, "-B", "-c", callee.START, library, str(theirs.fileno()), file]
            if committed is not None:
                words.append(text.name)
            process = subprocess.Popen(words, pass_fds=(theirs.fileno(),), stdout=sys.stderr)
            theirs.close()
            self._count += 1
            self._processes[self._count] = process, wire.Channel(ours), file
            self._receive(self._count, f"{file}: starting it", _FIRST_SECONDS)
            took = self._measured(self._count, lambda: self._load(self._count))[0]
        return self._count, took

    def ask(self, process: int, name: str, question: bytes, limit: float) -> tuple[Measured, memoryview]:
        def call() -> tuple[int, bytearray]:
            _, channel, file = self._processes[process]
            with contextlib.suppress(BrokenPipeError):
                channel.send(wire.CALL, b"\0" * wire.NONCE, question)
            return self._receive(process, f"{file}: {name}", limit)

        took, (_, answer) = self._measured(process, call)
        return took, memoryview(answer)[wire.NONCE :]

    def end(self, process: int) -> None:
        started, channel, _ = self._processes.pop(process)
        started.kill()
        started.wait()
        channel.socket.close()

    def blame(self, error: CandidateError) -> None:
        """The script's own traceback says it."""

    def metric(self, values: dict[str, float]) -> None:
        """It is printed; nobody else listens."""

    def _load(self, process: int) -> tuple[int, bytearray]:
        _, channel, file = self._processes[process]
        channel.send(wire.LOAD)
        return self._receive(process, file, _FIRST_SECONDS)

    def _measured(self, process: int, work: Any) -> tuple[Measured, Any]:
        pid = self._processes[process][0].pid
        cpu, began = _cpu_seconds(pid), time.perf_counter()
        done = work()
        seconds = time.perf_counter() - began
        return Measured(seconds, _cpu_seconds(pid) - cpu, _memory_mb(pid)), done

    def _receive(self, process: int, what: str, limit: float) -> tuple[int, bytearray]:
        started, channel, _ = self._processes[process]
        if not select.select([channel.socket], [], [], limit)[0]:
            self.end(process)
            raise CandidateError("timeout", f"{what}: still running after {limit:g} seconds")
        try:
            kind, body = channel.receive(plain.MOST + _SMALL)
        except (wire.Gone, ConnectionResetError):
            status = started.wait()
            self.end(process)
            raise CandidateError("error", f"{what}: its process ended with {status} and no answer") from None
        if kind == wire.RAISED:
            told = json.loads(body[wire.NONCE if body[:1] != b"{" else 0 :])
            raise CandidateError("error", f"{what}: {told['type']}: {told['message']}")
        return kind, body


def _committed(file: str) -> bytes | None:
    """Return the text of a file as git has it committed; None if there is none: then the file is its own reference."""
    words = ["git", "show", f"HEAD:./{file}"]
    try:
        found = subprocess.run(words, capture_output=True, check=False)
    except OSError:
        return None
    return found.stdout if found.returncode == 0 else None


def _cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process (clock_getcpuclockid(3)); 0 if it has ended or this is no Linux."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _memory_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)
