"""The processes of one run and what lies between them, from the first batch to the last logits."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import socket
from collections.abc import Sequence

import numpy as np

from evaluator import crash, readable
from evaluator.candidate import Candidate, bounds, environment
from evaluator.cuts.judging import Losses
from evaluator.errors import CandidateFailed
from evaluator.inside import frames
from evaluator.job import Job, Say
from evaluator.log import Log
from evaluator.script import Script
from evaluator.smoke import SmokeOver, told_amount
from evaluator.training import concealed, exam, file_systems, reading
from evaluator.training.buffer import Buffer
from evaluator.training.clock import Clock
from evaluator.training.data import DataJail
from evaluator.training.exam import HandedIn
from evaluator.training.export import Exported
from evaluator.training.load import Load
from evaluator.training.model import ModelFile
from evaluator.training.reference import Reference
from evaluator.training.scoring import Tally
from evaluator.training.second import SecondJail
from evaluator.training.sheet import Sheet
from evaluator.training.wire import FROM_CANDIDATE, Wire
from evaluator.workspace import Workspace


class TrainingRun:
    """A candidate at work under its clock, served by a data jail; all of it is closed with `stack`."""

    def __init__(
        self,
        job: Job,
        space: Workspace,
        script: Script,
        log: Log,
        say: Say,
        exported: Exported,
        amount: float,
        measured_by: Reference | None,
        stack: contextlib.ExitStack,
    ) -> None:
        """Start the data jail, and the candidate beside it.

        Raises `CandidateFailed` or `UserError` if one of them does not begin.
        """
        self._job, self._space, self._script, self._exported = job, space, script, exported
        self._stack, self._log, self._amount = stack, log, amount
        read = readable.named(job.settings, job.source)
        seen = concealed.seen(space, job.settings, job.jail, job.python, exported, read)
        self._file_system = concealed.conceal(seen, space, exported, job.python.interpreter)
        if job.cuts is not None:
            hidden = (*self._file_system.hidden, job.cuts.folder)
            self._file_system = dataclasses.replace(self._file_system, hidden=hidden)
        self._folder = file_systems.working_folder(self._file_system)
        self._data = DataJail(job, space, script)
        stack.callback(self._data.close)
        if job.settings.budget.kind == "wall" and job.smoke is None:
            self._data.wait_until_ready(exported.prepare_fingerprint)
        self._second: SecondJail | None = None
        self._buffer = Buffer(len(exported.token_bytes))
        stack.callback(self._buffer.close)
        self._model = ModelFile(bounds(job.settings).memory_mb)
        stack.callback(self._model.close)
        ours, theirs = socket.socketpair()
        stack.callback(ours.close)
        lender, self._borrower = reading.lending(job, stack)
        self.process = self._started(theirs, lender)
        stack.callback(self.process.close)
        theirs.close()
        self._data.theirs.close()
        if lender:
            lender.close()
        self.clock = Clock(
            self.process, job.settings, amount, say,
            load=Load(self._cpu_seconds),
            on_gpu=file_systems.has_gpu(), reference=measured_by, smoke=job.smoke,
        )  # fmt: skip
        self.clock.hello(self._data.said)
        self._line = Wire(ours, FROM_CANDIDATE, self._wait)

    def hand_in(self) -> HandedIn:
        """Let it train until its model is here.

        Raises `CandidateFailed` if it ends before, and `SmokeOver` in a smoke run, which ends with that.
        """
        handed_in = exam.hand_in(self._line, self.clock, self._model, self._catch_up)
        if handed_in is None:
            raise self._ended()
        if self._job.smoke is not None:
            batch = (handed_in.rows, self._exported.inputs.shape[1])
            raise SmokeOver("handed_in", {"tokens": batch, "logits": (*batch, self._buffer.vocabulary)})
        return handed_in

    def seal(self) -> None:
        """Close all that it could tell anybody by: from here on it knows the exam, and nothing that it prints, writes
        or uses is told."""
        self._log.progress.mark(self.clock.used())
        self._data.close()
        self._log.close("the evaluation began here; what is printed after it is not kept")
        self.process.begin_forgetting()

    def second(self) -> SecondJail:
        """Return the jail of the audit, which shares nothing with this one but the model; it is started if it was
        not."""
        if self._second is None:
            file_system = file_systems.elsewhere(self._file_system, self._job.jail, "audit")
            self._second = SecondJail(self._job, file_system, self._script, self._exported, self._model)
            self._stack.callback(self._second.close)
        return self._second

    def examine(self, handed_in: HandedIn, sheet: Sheet) -> tuple[Tally, float, Losses | None]:
        """Ask for the logits of all rows of `sheet`; return the losses of its scored ones, the score in bits per byte,
        and the losses at its cuts.

        The candidate has ended then: whoever is gone whispers nothing. Raises `CandidateFailed`.
        """
        try:
            answers = Tally(sheet.targets.reshape(-1), self._exported.token_bytes)
            exam.ask(self._line, self.clock, sheet.inputs, answers, handed_in, self._reading(handed_in))
            self.clock.examined()
            tally = sheet.scored(answers)
            score = tally.bits_per_byte()
            self._line.send(frames.SCORE, np.array(score, "<f8").tobytes())
            exam.let_end(self._line, self.clock)
        except (BrokenPipeError, ConnectionResetError):
            raise exam.died() from None
        self.process.close()
        return tally, score, sheet.losses(answers, score)

    def _started(self, theirs: socket.socket, lender: socket.socket | None) -> Candidate:
        job, columns = self._job, self._exported.inputs.shape[1]
        descriptors = (theirs.fileno(), self._data.theirs.fileno(), self._buffer.descriptor)
        arguments = (self._script.name, self._folder, *descriptors, columns, self._buffer.vocabulary)
        env = environment(
            job.settings,
            job.python,
            tree=self._folder,
            seed=job.seed,
            scratch=self._file_system.scratch,
            amount=told_amount(job, self._amount),
            jailed=job.jail.name != "none",
        )
        env |= {"NOCTURNE_GPU": "1"} if file_systems.has_gpu() else {}
        env |= {frames.LENT: str(lender.fileno())} if lender else {}
        return Candidate(
            _starting(job, arguments),
            jail=job.jail,
            file_system=self._file_system,
            folder=self._script.home(self._folder),
            env=env,
            log=self._log,
            bounds=bounds(job.settings),
            fds=(*descriptors, *([lender.fileno()] if lender else [])),
            threads=job.settings.threads,
        )

    def _wait(self, end: socket.socket, to_write: bool) -> None:
        readers = self._data.sockets if to_write else [end, *self._data.sockets]
        self.clock.listen(readers, [end] if to_write else [])
        self._data.hear(self.clock, self._exported.prepare_fingerprint)
        if self.clock.phase == "training" and self._has_room_beside:
            self.second()

    def _cpu_seconds(self) -> float:
        """Return what all processes of this run have used."""
        second = 0.0 if self._second is None else self._second.cpu_seconds
        return self.process.cpu_seconds + self._data.cpu_seconds + second

    @functools.cached_property
    def _has_room_beside(self) -> bool:
        """Whether the audit's process may import its packages while the candidate trains, which takes a core for some
        seconds: not where the wall counts and processors do the work."""
        return self._job.smoke is None and (
            self._job.settings.budget.kind != "wall" or file_systems.has_gpu()
        )

    def _catch_up(self) -> None:
        self._data.ask(self.clock, self._exported.prepare_fingerprint)

    def _reading(self, handed_in: HandedIn) -> reading.Reading:
        if not reading.is_wanted(self._job):
            return reading.Copied(self._buffer)
        lent = self._borrower if handed_in.lent else None
        reader = reading.Reader(self._job, self._space, self._buffer, lent, self.clock.look)
        self._stack.callback(reader.close)
        return reader

    def _ended(self) -> CandidateFailed:
        """Return why a candidate failed that ended before it was evaluated."""
        process = self.process
        while process.returncode is None:  # it has closed its socket
            self.clock.listen([], [])
        process.drain()
        return crash.diagnose(
            process.returncode or 0,
            list(process.log.lines),
            process.log.progress,
            str(self._folder),
            f"{self._script.path} ended without calling evaluate_bpb",
            process.around(),
        )


def _starting(job: Job, arguments: Sequence[object]) -> list[str]:
    """Return the words that run the script: by itself, or by the words of a launcher."""
    launch = job.settings.launch
    if launch:
        return job.python.words("ranks", json.dumps(launch), *arguments)
    return job.python.words("shim", *arguments)
