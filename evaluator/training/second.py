"""The audit's jail: a fresh process that has the model, and nothing else of the first one.

It imports what it needs while the candidate is at work, and touches the model only when the exam's jail is gone.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluator import faults
from evaluator.candidate import Candidate, bounds, environment
from evaluator.errors import CandidateFailed
from evaluator.inside import frames
from evaluator.jail.file_system import FileSystem
from evaluator.job import Job
from evaluator.log import Log
from evaluator.script import Script
from evaluator.training import file_systems
from evaluator.training.audit import Audit, Finding, Probes
from evaluator.training.buffer import Buffer
from evaluator.training.exam import HandedIn
from evaluator.training.export import Exported
from evaluator.training.model import ModelFile
from evaluator.training.scoring import Tally, cross_entropy, finite
from evaluator.training.wire import FROM_AUDIT, Wire


class SecondJail:
    """A running audit jail, which waits until it is told to begin."""

    def __init__(
        self,
        job: Job,
        file_system: FileSystem,
        script: Script,
        exported: Exported,
        model: ModelFile,
    ) -> None:
        """Start it beside the `script`'s prepare.py, in the tree that `file_system` shows."""
        self._job, self._exported = job, exported
        self._log = Log()
        self._buffer = Buffer(len(exported.token_bytes))
        ours, theirs = socket.socketpair()
        end = model.reading_end()
        descriptors = (theirs.fileno(), end, self._buffer.descriptor)
        tree = file_systems.working_folder(file_system)
        env = environment(
            job.settings,
            job.python,
            tree=tree,
            seed=job.seed,
            scratch=file_system.scratch,
            amount=1.0,
            jailed=job.jail.name != "none",
        )
        self._process = Candidate(
            job.python.words("prober", *descriptors, len(exported.token_bytes), tree),
            jail=job.jail,
            file_system=file_system,
            folder=script.home(tree),
            env=env,
            log=self._log,
            bounds=bounds(job.settings),
            fds=descriptors,
        )
        theirs.close()
        os.close(end)
        self._wire = Wire(ours, FROM_AUDIT, self._wait)
        self._seconds = self._until = 0.0

    @property
    def cpu_seconds(self) -> float:
        """What it has used so far."""
        self._process.measure()
        return self._process.cpu_seconds

    def audit(self, tally: Tally, handed_in: HandedIn, seconds: float) -> Finding:
        """Ask the probes as `handed_in` says and return what they say, in so many seconds; to be called when the exam's
        jail has ended.

        Raises `CandidateFailed` if the model does not say what it said in the exam.
        """
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._process.begin_forgetting()
        try:
            order = {
                "rows": handed_in.rows,
                "columns": self._exported.inputs.shape[1],
                "numerics": handed_in.numerics,
            }
            self._wire.send(frames.BEGIN, json.dumps(order).encode())
            self._expect_ready()
        except (BrokenPipeError, ConnectionResetError):
            raise CandidateFailed("refused", "the audit's process ended at once", defence="audit") from None
        self._log.close()
        audit = Audit(
            self._exported.inputs,
            tally.targets,
            tally.lengths,
            tally.nats,
            min_effect=self._job.settings.min_effect,
            draw=np.random.default_rng(secrets.randbits(128)),
            factor=self._job.settings.audit_factor,
        )
        probes = audit.draw(audit.size)
        finding = audit.judge(probes, finite(self._ask(probes, audit.targets(probes), handed_in.rows)))
        if not audit.holds(finding):
            raise audit.refusal(finding)
        return finding

    def close(self) -> None:
        self._process.close()
        self._wire.socket.close()
        self._buffer.close()

    def _expect_ready(self) -> None:
        frame = self._wire.receive()
        if frame is not None and frame.kind == frames.READY:
            return
        while self._process.returncode is None and time.monotonic() < self._until:
            self._process.listen(0.05)
        self._process.drain()
        last = next(reversed(self._log.lines), "it ended at once")
        status, around = self._process.returncode or 0, self._process.around()
        fault = faults.of_the_machine(status, list(self._log.lines), last, around)
        if fault is not None:
            raise CandidateFailed("infrastructure", f"in the audit: {fault}")
        # Nothing was found against it, and it did not cheat as far as anybody knows: it can't be judged.
        raise CandidateFailed("unportable", f"the model can't be rebuilt in a fresh process: {last}")

    def _ask(self, probes: Probes, targets: NDArray[np.int32], rows: int) -> NDArray[np.float64]:
        """Return the losses (n,) at the probes' targets, in nats; up to so many rows are asked at once."""
        nats = np.empty(len(probes))
        for part in probes.batches(rows):
            tokens, positions = probes.tokens[part], probes.positions[part]
            body = (tokens.astype("<i4").tobytes(), positions.astype("<i4").tobytes())
            self._wire.send(frames.PROBES, frames.SHAPE.pack(*tokens.shape), *body)
            at, end = part.start, part.stop
            while at < end:
                frame = self._wire.receive()
                if frame is None or frame.kind != frames.LOGITS:
                    raise CandidateFailed("refused", "the model did not answer the audit", defence="audit")
                slot, logits = self._buffer.view(bytes(frame.body), end - at)
                nats[at : at + len(logits)] = cross_entropy(logits, targets[at : at + len(logits)])
                at += len(logits)
                self._wire.send(frames.TAKEN, slot.to_bytes(4, "little"))
        return nats

    def _wait(self, end: socket.socket, to_write: bool) -> None:
        ends: list[Any] = [end]
        self._process.listen(0.1, [] if to_write else ends, ends if to_write else [])
        self._process.check()
        if time.monotonic() > self._until:
            raise CandidateFailed(
                "timeout",
                f"the audit was not over within {self._seconds:g} seconds",
                defence="limits",
            )
