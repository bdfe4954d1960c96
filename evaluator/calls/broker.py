"""Between the locked script and the processes that it calls: starts them, hands on what passes, measures.

The script's library (`nocturne_candidate`) speaks to us over a socket. What it says is the locked side's; what the
processes say is the candidate's: handed on in full, within bounds, and looked into by nobody but the library.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nocturne_candidate
from evaluator.calls import trees
from evaluator.calls.called import Called, NoAnswer, Took
from evaluator.command.metrics import MOST_METRICS, NAME
from evaluator.command.part import Cost, Over
from evaluator.errors import CandidateFailed, UserError
from evaluator.job import Job
from evaluator.log import Log
from evaluator.training import file_systems
from evaluator.training.wire import Frame, Wire
from evaluator.workspace import Workspace
from nocturne_candidate import plain, wire

_SMALL = 1 << 16
_MOST = {
    wire.START: _SMALL,
    wire.ASK: _SMALL + plain.MOST,
    wire.END: 4,
    wire.BLAME: _SMALL,
    wire.METRIC: _SMALL,
}
_MOST_PROCESSES = 64  # that are alive at once
_KEPT_LINES = 200


class Broker:
    """What one run of the command has beside it. `metrics` is what the script stated by the library, if it did."""

    def __init__(
        self,
        job: Job,
        space: Workspace,
        name: str,
        *,
        read: Sequence[Path],
        hidden: Sequence[Path],
    ) -> None:
        self._job, self._space, self._name = job, space, name
        self._read, self._hidden = read, hidden
        self.library = _library(space)
        ours, self._theirs = socket.socketpair()
        self._wire = Wire(ours, _MOST, self._wait)
        self._called: dict[int, Called] = {}
        self._count = 0
        self._look: Callable[[], None] = lambda: None
        self._blamed: NoAnswer | None = None
        self._log: list[str] = []
        self._costs: list[Took] = []
        self.metrics: dict[str, float] = {}

    @property
    def descriptor(self) -> int:
        """The script's end, for the process that runs it to inherit."""
        return self._theirs.fileno()

    @property
    def reader(self) -> socket.socket:
        """What to listen to."""
        return self._wire.socket

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return the script's environment: `env`, where the library is, and how it reaches us."""
        found = env.get("PYTHONPATH")
        path = f"{self.library}:{found}" if found else str(self.library)
        return {**env, "PYTHONPATH": path, wire.VARIABLE: f"{wire.VERSION}:{self.descriptor}"}

    def serve(self, look: Callable[[], None]) -> None:
        """Do all that the script asks for now; `look` is called meanwhile, and raises if the run is over."""
        self._look = look
        with contextlib.suppress(Over, BrokenPipeError, ConnectionResetError):
            while (frame := self._wire.poll()) is not None:
                self._answer(frame)

    def close(self, log: Log) -> Cost:
        """End all that is left, add what the candidate printed to `log`, and return what its side took."""
        for number in list(self._called):
            self._end(number)
        self._wire.socket.close()
        self._theirs.close()
        if self._log:
            log.quote("printed by what was called; it counts for nothing", self._log[-_KEPT_LINES:])
        most = max((each.memory_mb for each in self._costs), default=0.0)
        return Cost(
            sum(each.seconds for each in self._costs), sum(each.cpu_seconds for each in self._costs), most
        )

    def blamed(self, failure: CandidateFailed) -> CandidateFailed:
        """Return why the run failed: what a call failed by, if that is what ended the script."""
        if self._blamed is None or not failure.reason.startswith("CandidateError"):
            return failure
        last = self._blamed
        return CandidateFailed(last.kind, last.reason, failure.traceback, defence=last.defence)

    def _answer(self, frame: Frame) -> None:
        if frame.kind == wire.START:
            self._start(frame.json())
        elif frame.kind == wire.ASK:
            self._ask(frame.body)
        elif frame.kind == wire.END:
            self._end(int.from_bytes(frame.body, "little"))
        elif frame.kind == wire.BLAME:
            told = frame.json()
            self._blamed = NoAnswer(str(told["kind"]), str(told["reason"]), "protocol")
        elif frame.kind == wire.METRIC:
            self._state(frame.json())

    def _start(self, told: Mapping[str, Any]) -> None:
        settings, file, which = self._job.settings, str(told["file"]), str(told["which"])
        if file not in settings.call:
            named = ", ".join(settings.call)
            raise UserError(
                f"call: the script calls {file!r}, which `evaluator.call` does not name ({named})"
            )
        if len(self._called) >= _MOST_PROCESSES:
            raise UserError(
                f"call: the script has {_MOST_PROCESSES} processes at once: close some, or use `with`"
            )
        which = trees.REFERENCE if which == trees.REFERENCE and settings.reference else trees.CANDIDATE
        self._count += 1
        file_system = file_systems.of_candidate(
            trees.of_called(self._space, settings, which), settings, self._job.jail, self._job.python,
            f"{self._name}-{self._count}", read=self._read, ignored=True, more=(self.library,), hidden=self._hidden,
        )  # fmt: skip
        title = file if which == trees.CANDIDATE else f"the reference of {file}"
        called = Called(self._job, file_system, self.library, file, self._look, title)
        self._called[self._count] = called
        try:
            took = called.load()
        except NoAnswer as error:
            self._failed(self._count, error)
            return
        self._wire.send(
            wire.DONE,
            json.dumps(
                {"process": self._count, "measured": [took.seconds, took.cpu_seconds, took.memory_mb]}
            ).encode(),
        )

    def _ask(self, body: bytearray) -> None:
        number, seconds, length = wire.ASKED.unpack_from(body)
        at = wire.ASKED.size + length
        name = bytes(body[wire.ASKED.size : at]).decode(errors="replace")
        called = self._called.get(number)
        if called is None:
            raise UserError("call: the script asked a process that has ended")
        try:
            answer, took = called.ask(name, bytes(memoryview(body)[at:]), seconds)
        except NoAnswer as error:
            self._failed(number, error)
            return
        measured = wire.MEASURED.pack(took.seconds, took.cpu_seconds, took.memory_mb)
        self._wire.send(wire.ANSWER, measured, answer)

    def _failed(self, number: int, error: NoAnswer) -> None:
        self._blamed = error
        self._end(number)
        self._wire.send(wire.FAILED, json.dumps({"kind": error.kind, "reason": error.reason}).encode())

    def _end(self, number: int) -> None:
        called = self._called.pop(number, None)
        if called is not None:
            self._costs.append(called.close())
            self._log = [*self._log, *called.log.lines][-_KEPT_LINES:]

    def _state(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, int | float) and len(self.metrics) < MOST_METRICS and NAME.fullmatch(name):
                self.metrics[name] = float(value)

    def _wait(self, end: socket.socket, to_write: bool) -> None:
        """The script has not read what it asked for yet."""
        self._look()


def _library(space: Workspace) -> Path:
    """Return a folder that holds our library and nothing else, to be shown in jails."""
    folder = space.base / "library"
    if not folder.exists():
        source = Path(nocturne_candidate.__file__).parent
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, folder / source.name, ignore=ignored)
    return folder
