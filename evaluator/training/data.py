"""The data jail, from outside: the incumbent's prepare.py, which serves training data to a candidate."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

from evaluator import crash, faults
from evaluator.candidate import Candidate, bounds
from evaluator.errors import CandidateFailed, UserError
from evaluator.inside import frames
from evaluator.job import Job
from evaluator.log import Log
from evaluator.script import Script
from evaluator.training import file_systems
from evaluator.training.clock import Clock
from evaluator.training.wire import FROM_DATA, Wire
from evaluator.workspace import Workspace

_ANSWER_SECONDS = 5.0  # a loader that takes longer for one batch is not waited for
_READY_SECONDS = 1800.0


class DataJail:
    """A running data jail. `theirs` is the candidate's end of it, to be passed on and closed."""

    def __init__(self, job: Job, space: Workspace, script: Script) -> None:
        """Start it on the repository of `job`, whose prepare.py beside `script` is trusted with its own data."""
        self._repo = script.home(space.repository)
        self._log = Log()
        self.said: dict[str, Any] = {}  # with its hello
        self._closed = False
        self._answers = 0
        ours, control = socket.socketpair()
        server, self.theirs = socket.socketpair()
        for each in (server, self.theirs):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        limits = bounds(job.settings)
        file_system = file_systems.of_data_jail(space, job.settings, job.jail, job.python, "data")
        folder = file_systems.working_folder(file_system)
        self._folder = str(folder)
        environment = file_systems.data_environment(job.python, folder)
        environment |= {"NOCTURNE_SEED": str(job.seed), "TMPDIR": str(file_system.scratch)}
        self._process = Candidate(
            job.python.words("data_server", server.fileno(), control.fileno()),
            jail=job.jail,
            file_system=file_system,
            folder=script.home(folder),
            env=environment,
            log=self._log,
            bounds=limits,
            fds=(server.fileno(), control.fileno()),
        )
        server.close()
        control.close()
        self._wire = Wire(ours, FROM_DATA, lambda end, to_write: None)

    @property
    def sockets(self) -> list[socket.socket]:
        """What is ready to be read when the jail has something to tell."""
        return [] if self._wire.closed else [self._wire.socket]

    @property
    def cpu_seconds(self) -> float:
        return self._process.cpu_seconds

    def wait_until_ready(self, fingerprint: str) -> None:
        """Wait until it can serve: its start-up, before any candidate runs, tells how fast this machine is now.

        Raises `UserError` as `hear` does.
        """
        until = time.monotonic() + _READY_SECONDS
        while not self.said:
            self._process.listen(0.05, self.sockets)
            self.hear(None, fingerprint)
            if time.monotonic() > until:
                raise UserError(f"{self._repo}/prepare.py: can't serve data after {_READY_SECONDS:g} seconds")

    def ask(self, clock: Clock, fingerprint: str) -> None:
        """Hear the last count, now that training has ended."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._wire.send(frames.TELL)
        before, until = self._answers, time.monotonic() + _ANSWER_SECONDS
        while self._answers == before and not self._wire.closed and time.monotonic() < until:
            self._process.listen(0.01, self.sockets)
            self.hear(clock, fingerprint)

    def hear(self, clock: Clock | None, fingerprint: str) -> None:
        """Take what it tells, for the clock.

        Raises `UserError` if prepare.py fails by itself or its data changed, `CandidateFailed` if it
        fails at what the candidate asked for.
        """
        if self._closed:
            return
        self._process.drain()
        while True:
            frame = self._wire.poll()
            if frame is None:
                break
            if frame.kind == frames.HELLO:
                said = frame.json()
                if said["fingerprint"] != fingerprint:
                    raise UserError(
                        "the prepared data has changed since its validation rows were exported: run"
                        " `nocturne-evaluator prepare` on this repository, and measure the baseline again"
                    )
                self.said = said
                if clock is not None:
                    clock.hello(said)
            elif len(frame.body) == frames.COUNTS.size:
                self._answers += frame.kind == frames.TOLD  # what it told before it was asked is no answer
                if clock is not None:
                    clock.served(*frames.COUNTS.unpack(frame.body))
        self._process.check()
        if self._wire.closed and (self._process.returncode or not self.said):
            self._process.drain()
            lines = list(self._log.lines)
            last = (crash.last_traceback(lines, self._folder) or "\n".join(lines)).strip().splitlines()
            why = last[-1][:300] if last else f"exit code {self._process.returncode}"
            fault = faults.of_the_machine(self._process.returncode or 0, lines, why, self._process.around())
            if fault is not None:
                raise CandidateFailed("infrastructure", f"prepare.py, which serves the data: {fault}")
            if self.said:  # it worked, until it was asked for something
                raise CandidateFailed("error", f"prepare.py ended while it served training data: {why}")
            raise UserError(f"{self._repo}/prepare.py: failed before it could serve training data: {why}")

    def close(self) -> None:
        """End it, before the exam at the latest: it could carry something out."""
        if self._closed:
            return
        self._closed = True
        self._wire.closed = True
        self._process.close()
        self._wire.socket.close()
        self.theirs.close()
