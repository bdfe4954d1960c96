"""How logits become losses: copied out of the jail and read here, or read on the GPU by a process of ours.

Reading on the GPU is off until `nocturne-evaluator reader` has found, on this machine, that it gives the same score.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evaluator.cache import cache_home
from evaluator.candidate import Candidate, bounds
from evaluator.errors import CandidateFailed, UserError
from evaluator.inside import frames
from evaluator.interpreter.task_python import TaskPython
from evaluator.job import Job
from evaluator.log import Log
from evaluator.training import file_systems
from evaluator.training.buffer import Buffer
from evaluator.training.scoring import METRIC_VERSION, cross_entropy
from evaluator.training.wire import FROM_READER, Wire
from evaluator.workspace import Workspace

_START_SECONDS = 120.0  # to import torch and to begin on the GPU
_READ_SECONDS = 60.0  # for one slot


class Reading(Protocol):
    """Turns the body of a LOGITS message into a slot and the losses (n,) at the first n of `targets`, in nats.

    Raises `CandidateFailed` if the message makes no sense; a loss is not finite if the logits are not.
    """

    def read(self, body: bytes, targets: NDArray[np.int32]) -> tuple[int, NDArray[np.float64]]: ...


class Copied:
    """Reads what was copied into the shared buffer."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer

    def read(self, body: bytes, targets: NDArray[np.int32]) -> tuple[int, NDArray[np.float64]]:
        """See `Reading.read`."""
        slot, logits = self._buffer.view(body, len(targets))
        return slot, cross_entropy(logits, targets[: len(logits)])


class Reader:
    """A running process that reads logits by torch, from memory that the candidate has lent it, or from the buffer."""

    def __init__(
        self,
        job: Job,
        space: Workspace,
        buffer: Buffer,
        lent: socket.socket | None,
        meanwhile: Callable[[], None],
    ) -> None:
        """Start it, and wait until it has the memory. `meanwhile` is called while it is waited for; what it raises
        ends the run. Raises `UserError` if it does not begin."""
        self._job, self._log, self._meanwhile = job, Log(), meanwhile
        ours, theirs = socket.socketpair()
        given = (theirs.fileno(), buffer.descriptor if lent is None else lent.fileno())
        ends = (given[0], "-", given[1]) if lent is None else (*given, "-")
        file_system = file_systems.of_reader(space, job.settings, job.jail, job.python)
        self._process = Candidate(
            job.python.words("reader", *ends, buffer.vocabulary),
            jail=job.jail,
            file_system=file_system,
            folder=file_system.scratch,
            env=file_systems.data_environment(job.python, file_system.scratch)
            | {"HOME": str(file_system.scratch), "TMPDIR": str(file_system.scratch)},
            log=self._log,
            bounds=bounds(job.settings),
            fds=given,
        )
        theirs.close()
        self._wire = Wire(ours, FROM_READER, self._wait)
        self._until = time.monotonic() + _START_SECONDS
        frame = self._wire.receive()
        if frame is None or frame.kind != frames.READY:
            self.close()
            last = next(reversed(self._log.lines), "it ended at once")
            raise UserError(f"logits can't be read on this GPU ({last}): set `logits: copied`")
        self._rows = int(frame.json()["rows"])

    def read(self, body: bytes, targets: NDArray[np.int32]) -> tuple[int, NDArray[np.float64]]:
        """See `Reading.read`."""
        slot, count = frames.SLOT.unpack(body) if len(body) == frames.SLOT.size else (frames.SLOTS, 0)
        if slot >= frames.SLOTS or not 0 < count <= min(self._rows, len(targets)):
            raise CandidateFailed("refused", "the candidate sent logits of the wrong size", defence="scoring")
        self._until = time.monotonic() + _READ_SECONDS
        self._wire.send(frames.READ, frames.SLOT.pack(slot, count), targets[:count].astype("<i4").tobytes())
        frame = self._wire.receive()
        if frame is None or frame.kind != frames.NATS or len(frame.body) != 8 * count:
            last = next(reversed(self._log.lines), "it ended")
            raise UserError(f"the reader of logits failed ({last}): set `logits: copied`, and try again")
        return slot, np.frombuffer(frame.body, "<f8")

    def close(self) -> None:
        """End the process."""
        self._process.close()
        self._wire.socket.close()

    def _wait(self, end: socket.socket, to_write: bool) -> None:
        ends: list[Any] = [end]
        self._process.listen(0.05, [] if to_write else ends, ends if to_write else [])
        self._meanwhile()
        if time.monotonic() > self._until:
            raise UserError("the reader of logits does not answer: set `logits: copied`, and try again")


def lending(job: Job, stack: contextlib.ExitStack) -> tuple[socket.socket | None, socket.socket | None]:
    """Return the ends of the socket over which a candidate lends memory, its own first; None and None if it is not
    to lend any. Both are closed with `stack`."""
    if not is_wanted(job) or not file_systems.has_gpu() or job.settings.launch:
        return None, None
    ends = socket.socketpair()
    for each in ends:
        stack.callback(each.close)
    return ends


def is_wanted(job: Job) -> bool:
    """Whether a process of ours is to read the logits: as the settings say, or as a trial on this machine has shown."""
    if job.smoke is not None:
        return False
    if job.settings.logits == "auto":
        return file_systems.has_gpu() and trial_of(job.python) is True
    return job.settings.logits == "read"


def trial_of(python: TaskPython) -> bool | None:
    """Return whether both ways agreed on this machine; None if nobody has tried."""
    found = _trials().get(_machine(python))
    return found if isinstance(found, bool) else None


def remember(python: TaskPython, *, agreed: bool) -> None:
    """Note what a trial with this machine and this Python has shown."""
    place = _place()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({**_trials(), _machine(python): agreed}))


def _trials() -> dict[str, Any]:
    try:
        known = json.loads(_place().read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _place() -> Path:
    return cache_home() / "nocturne" / "readers.json"


def _machine(python: TaskPython) -> str:
    """Return a digest of driver, GPUs and Python: a trial says nothing about others."""
    found = hashlib.sha256(
        repr((METRIC_VERSION, python.interpreter.executable, python.interpreter.torch)).encode()
    )
    for place in (
        Path("/proc/driver/nvidia/version"),
        *sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")),
    ):
        try:
            found.update(place.read_bytes())
        except OSError:
            found.update(b"-")
    return found.hexdigest()[:32]
