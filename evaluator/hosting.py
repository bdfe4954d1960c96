"""Runs mechanisms of the outer loop, which a model may have written: a jail of its own for each question.

What comes back is a line of JSON or the reason why there is none. The mechanism sees the standard library, numpy and
its question. It is one process with one thread, its memory, its time and its words are bounded, and it writes nothing.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.candidate import Bounds, Candidate
from evaluator.errors import UserError
from evaluator.interpreter.interpreter import INSIDE, Interpreter
from evaluator.jail import seccomp
from evaluator.jail.file_system import FileSystem
from evaluator.jail.launch import Jail
from evaluator.jail.python import python_paths
from evaluator.log import Log, legible

MOST_BYTES = 64 * 1024  # of a mechanism, of a question, and of an answer
SECONDS = 2.0  # for an answer, by the clock and of the processor
SESSION_SECONDS = 20.0  # for all the questions that one process is asked
MEMORY_MB = 1024.0  # of address space: numpy alone takes a third of it
_SCRATCH_MB = 1 / 16  # what makes the jail writes a few lines there; the mechanism may not
_START_SECONDS = 60.0
_PROGRAM = INSIDE / "hosted.py"
_NESTED = 40  # levels of an answer


class NoAnswer(Exception):
    """A question got none: `kind` is timeout, ended, raised, too_large or malformed; `reason` is one line."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind = kind
        self.reason = " ".join(legible(reason).split())[:400]
        super().__init__(self.reason)


@dataclass(frozen=True)
class Question:
    """A function of the mechanism, `steer` or `screen`, and its arguments, as they came."""

    line: bytes

    def __post_init__(self) -> None:
        if len(self.line) > MOST_BYTES:
            raise UserError(f"a question to a mechanism has at most {MOST_BYTES} bytes, not {len(self.line)}")
        try:
            asked = json.loads(self.line)
        except (ValueError, RecursionError):
            asked = None
        fits = isinstance(asked, dict) and asked.keys() == {"ask", "given"}
        if not (fits and asked["ask"] in ("steer", "screen") and isinstance(asked["given"], list)):
            raise UserError('a question is a line such as {"ask": "steer", "given": [{}]}')


def answers(source: str, questions: Sequence[Question], jail: Jail, *, together: bool) -> Iterator[Any]:
    """Yield what the mechanism `source` says to each question: each in a fresh process, or all in one if `together`.

    Raises `NoAnswer` at the first one that gets none, `UserError` if this machine can't keep a mechanism in.
    """
    if jail.name == "none" or not seccomp.program(alone=True):
        raise UserError("a mechanism runs in a jail only, and this machine makes none for it")
    if len(source.encode(errors="replace")) > MOST_BYTES:
        raise NoAnswer("too_large", f"the mechanism has more than {MOST_BYTES} bytes")
    for group in [questions] if together else [[each] for each in questions]:
        yield from _asked(source, group, jail)


def _asked(source: str, questions: Sequence[Question], jail: Jail) -> Iterator[Any]:
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryDirectory(prefix="nocturne-host-") as folder, ours:
        log = Log()
        scratch = Path(folder, "scratch")
        with theirs:
            process = _started(jail, scratch, theirs, log)
        try:
            talk = _Talk(process, ours)
            seconds = min(SESSION_SECONDS, SECONDS * len(questions))
            order = {
                "source": source,
                "path": [str(scratch)],
                "memory_bytes": int(MEMORY_MB * 2**20),
                "cpu_seconds": int(seconds) + 1,  # for the start
            }
            if talk.ask(json.dumps(order).encode(), _START_SECONDS) != {"ready": True}:
                raise UserError(f"a mechanism's process does not start: {' '.join(log.lines)[-300:]}")
            until = time.monotonic() + seconds
            for each in questions:
                yield _value(talk.ask(each.line, min(SECONDS, until - time.monotonic())))
        finally:
            process.close()
            log.close()


def _value(said: Any) -> Any:
    if isinstance(said, dict) and said.keys() == {"value"}:
        return said["value"]
    if isinstance(said, dict) and said.keys() == {"raised"}:
        raise NoAnswer("raised", str(said["raised"]))
    raise NoAnswer("malformed", "it sent something that is no answer")


class _Talk:
    """Lines to a mechanism's process and back, each within its time."""

    def __init__(self, process: Candidate, end: socket.socket) -> None:
        self._process, self._end = process, end
        end.setblocking(False)

    def ask(self, line: bytes, seconds: float) -> Any:
        until = time.monotonic() + seconds
        unsent = memoryview(line + b"\n")
        heard = bytearray()
        while not heard.endswith(b"\n"):
            if time.monotonic() > until:
                raise NoAnswer(
                    "timeout", f"no answer within {SECONDS:g} seconds, or {SESSION_SECONDS:g} in all"
                )
            self._process.listen(0.05, [self._end], [self._end] if unsent else [])
            try:
                if unsent:
                    unsent = unsent[self._end.send(unsent) :]
                came = self._end.recv(1 << 16)
            except BlockingIOError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                came = b""
            if not came:
                raise NoAnswer("ended", "its process ended without an answer")
            heard += came
            if len(heard) > MOST_BYTES:
                raise NoAnswer("too_large", f"its answer has more than {MOST_BYTES} bytes")
        if heard.count(b"\n") > 1 or unsent:
            raise NoAnswer("malformed", "it answered what it was not asked")
        return _parsed(bytes(heard))


def _parsed(line: bytes) -> Any:
    try:
        said = json.loads(line, parse_constant=_no_number)
        json.dumps(said, ensure_ascii=False).encode()  # half a character can't be written down
    except (ValueError, RecursionError):
        raise NoAnswer(
            "malformed", "its answer is no JSON with whole characters and finite numbers"
        ) from None
    if _depth(said) > _NESTED:
        raise NoAnswer("malformed", f"its answer is nested more than {_NESTED} deep")
    return said


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _depth(value: Any) -> int:
    """Return how deep lists and objects lie inside each other, counted up to one more than allowed."""
    level, depth = [value], 0
    while level and depth <= _NESTED:
        depth += 1
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return depth


def _started(jail: Jail, scratch: Path, theirs: socket.socket, log: Log) -> Candidate:
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()  # not a virtual environment's
    system = python_paths(Interpreter(python, sys.version_info[:3], (sys.base_prefix,), (_library(),)))
    sites = tuple(Path(_library(), name) for name in ("site-packages", "dist-packages"))
    shown = FileSystem(
        read_only=(*system, *_numpy(), _PROGRAM),
        scratch=scratch,
        scratch_bytes=int(_SCRATCH_MB * 2**20),
        hidden=tuple(each for each in sites if not any(own.is_relative_to(each) for own in _numpy())),
        links=tuple((each.name, each) for each in _numpy()),
    )
    # OpenBLAS starts no thread if it is to have one.
    env = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    if "LD_LIBRARY_PATH" in os.environ:  # some Pythons are found by it, such as setup-python's
        env["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    words = [str(python), "-S", "-s", "-B", str(_PROGRAM), str(theirs.fileno())]
    try:
        return Candidate(
            words, jail=jail, file_system=shown, folder=Path("/"), env=env, log=log,
            bounds=Bounds(MEMORY_MB, _SCRATCH_MB, 1), fds=(theirs.fileno(),), alone=True,
        )  # fmt: skip
    except OSError as error:
        raise UserError(f"a mechanism's process can't be started: {error.strerror}") from None


def _library() -> str:
    return str(Path(os.__file__).parent)


def _numpy() -> tuple[Path, ...]:
    """Return the folders of numpy and of its own libraries, none if it is not there."""
    spec = importlib.util.find_spec("numpy")
    if spec is None or spec.origin is None:
        return ()
    folder = Path(spec.origin).parent
    return (folder, *(each for each in [folder.with_name("numpy.libs")] if each.is_dir()))
