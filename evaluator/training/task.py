"""A run of kind `train`: start the candidate, keep the clock, take its model and its logits, score, audit."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluator import crash, readable
from evaluator.candidate import Candidate, bounds, environment
from evaluator.errors import CandidateFailed
from evaluator.inside import frames
from evaluator.job import Job, Say, failed, scored
from evaluator.log import Log
from evaluator.script import Script, located, script_path
from evaluator.smoke import SmokeOver, smoked, told_amount
from evaluator.stream import Event
from evaluator.training import concealed, exam, export, reading, reference, views
from evaluator.training.buffer import Buffer
from evaluator.training.clock import Clock
from evaluator.training.data import DataJail
from evaluator.training.export import Exported
from evaluator.training.load import Load
from evaluator.training.model import ModelFile
from evaluator.training.reference import Reference
from evaluator.training.second import SecondJail
from evaluator.training.wire import FROM_CANDIDATE, Wire
from evaluator.workspace import Workspace


def run(job: Job, space: Workspace, log: Log, say: Say) -> Event:
    """Train and score the candidate in `space`; return the final event (score or failed).

    Raises `UserError` for what is not the candidate's fault.
    """
    script = located(space.tree, job.settings, shown=job.repo)
    exported = export.load_or_make(job.repo, job.settings, job.jail, job.python)
    amount = job.settings.budget.amount or exported.time_budget
    mark = _under_budget(exported.fingerprint, job.settings.budget.kind, amount)
    measured_by = _reference(job, space, amount)
    timed = job.settings.budget.kind != "steps" and job.smoke is None
    tokens = {"eval_tokens": exported.eval_tokens, "eval_tokens_of": exported.eval_tokens_of}
    budget = {"kind": job.settings.budget.kind, "amount": amount}
    started = job.started(budget, mark, **tokens, script=script.path, folder=script.folder)
    say(started | ({"is_reference": measured_by is None} if timed else {}))
    known: dict[str, float] = {}
    try:
        concealed.refuse_copies(space.tree, job.settings.editable, exported)
        known.update(tokens)
        score, audit, measures = _measure(job, space, script, log, say, exported, amount, measured_by, known)
        result = scored(job, score, known, mark, log)
        result |= {"audit": audit, **tokens}
        if measures is not None:
            result["reference"] = measures.to_json()
    except CandidateFailed as failure:
        result = failed(job, failure, known, mark, log)
    except SmokeOver as over:
        result = smoked(job, over, known, log, tail=True)  # it has seen nothing that it might tell
    result["metrics"]["total_seconds"] = round(time.monotonic() - job.began, 1)
    return result


def _reference(job: Job, space: Workspace, amount: float) -> Reference | None:
    """Return what this run is measured by; None where it is a run of the reference itself, or counts no time.

    Raises `UserError` where the reference is of another budget.
    """
    given = job.reference
    if given is None or job.smoke is not None or job.settings.budget.kind == "steps":
        return None
    reference.check(given, kind=job.settings.budget.kind, amount=amount, on_gpu=views.has_gpu())
    unchanged = given.files == reference.digest_of(
        space.tree, (*job.settings.editable, script_path(job.settings))
    )
    return None if unchanged else given


def _under_budget(fingerprint: str, kind: str, amount: float) -> str:
    """Return the fingerprint of scores under a budget: twice the time is another scale, on the same rows."""
    return hashlib.sha256(f"{fingerprint} {kind} {amount!r}".encode()).hexdigest()


def _measure(
    job: Job,
    space: Workspace,
    script: Script,
    log: Log,
    say: Say,
    exported: Exported,
    amount: float,
    measured_by: Reference | None,
    known: dict[str, float],
) -> tuple[float, Mapping[str, Any], Reference | None]:
    """Return the score, what the audit found, and what the run took where it is one of the reference; `known`
    receives the run's metrics, however it ends."""
    files = reference.digest_of(
        space.tree, (*job.settings.editable, script_path(job.settings))
    )  # before it may change them
    limits = bounds(job.settings)
    vocabulary = len(exported.token_bytes)
    read = readable.named(job.settings, job.source)
    seen = concealed.seen(space, job.settings, job.jail, job.python, exported, read)
    view = concealed.conceal(seen, space, exported, job.python.interpreter)
    folder = views.folder(view)
    with contextlib.ExitStack() as stack:
        data = DataJail(job, space, script)
        stack.callback(data.close)
        if job.settings.budget.kind == "wall" and job.smoke is None:
            data.wait_until_ready(exported.prepare_fingerprint)
        buffer = Buffer(vocabulary)
        stack.callback(buffer.close)
        model = ModelFile(limits.memory_mb)
        stack.callback(model.close)
        ours, theirs = socket.socketpair()
        stack.callback(ours.close)
        lender, borrower = reading.lending(job, stack)
        descriptors = (theirs.fileno(), data.theirs.fileno(), buffer.descriptor)
        home = script.home(folder)
        arguments = (script.name, folder, *descriptors, exported.inputs.shape[1], vocabulary)
        process = Candidate(
            _starting(job, arguments),
            jail=job.jail,
            view=view,
            folder=home,
            env=environment(
                job.settings,
                job.python,
                tree=folder,
                seed=job.seed,
                scratch=view.scratch,
                amount=told_amount(job, amount),
                jailed=job.jail.name != "none",
            )
            | ({"NOCTURNE_GPU": "1"} if views.has_gpu() else {})
            | ({frames.LENT: str(lender.fileno())} if lender else {}),
            log=log,
            bounds=limits,
            fds=(*descriptors, *([lender.fileno()] if lender else [])),
            threads=job.settings.threads,
        )
        stack.callback(process.close)
        theirs.close()
        data.theirs.close()
        if lender:
            lender.close()
        clock = Clock(
            process, job.settings, amount, say, load=Load(lambda: process.cpu_seconds + data.cpu_seconds),
            on_gpu=views.has_gpu(), reference=measured_by, smoke=job.smoke,
        )  # fmt: skip
        clock.hello(data.said)

        def wait(end: socket.socket, to_write: bool) -> None:
            readers = data.sockets if to_write else [end, *data.sockets]
            clock.listen(readers, [end] if to_write else [])
            data.hear(clock, exported.prepare_fingerprint)

        def catch_up() -> None:
            data.ask(clock, exported.prepare_fingerprint)

        line = Wire(ours, FROM_CANDIDATE, wait)
        try:
            handed_in = exam.hand_in(line, clock, model, catch_up)
            if handed_in is None:
                raise _ended(clock, folder, script)
        finally:
            process.drain()
            known.update(clock.metrics(), cpu_seconds=round(process.cpu_seconds, 3))
        if job.smoke is not None:
            batch = (handed_in.rows, exported.inputs.shape[1])
            raise SmokeOver("handed_in", {"tokens": batch, "logits": (*batch, vocabulary)})
        # From here on it knows the exam: nothing that it prints, writes or uses is told to anybody.
        log.progress.mark(clock.used())
        data.close()
        log.close("the evaluation began here; what is printed after it is not kept")
        say({"event": "scoring"})
        second = SecondJail(job, views.elsewhere(view, job.jail, "audit"), script, exported, handed_in, model)
        stack.callback(second.close)
        began = time.monotonic()
        reads: reading.Reading = reading.Copied(buffer)
        if reading.is_wanted(job):
            reads = reader = reading.Reader(
                job, space, buffer, borrower if handed_in.lent else None, clock.look
            )
            stack.callback(reader.close)
        try:
            tally = exam.ask(line, clock, exported, handed_in, reads)
            clock.examined()
            score = tally.bits_per_byte()
            line.send(frames.SCORE, np.array(score, "<f8").tobytes())
            exam.let_end(line, clock)
        except (BrokenPipeError, ConnectionResetError):
            raise exam.died() from None
        process.close()  # before the audit begins: whoever is gone whispers nothing
        finding = second.audit(tally, clock.evaluation_seconds())
        known["evaluation_seconds"] = round(time.monotonic() - began, 1)
        return score, finding.metrics(), clock.measures(files) if clock.is_measured else None


def _starting(job: Job, arguments: Sequence[object]) -> list[str]:
    """Return the words that run the script: by itself, or by the words of a launcher."""
    launch = job.settings.launch
    if launch:
        return job.python.words("ranks", json.dumps(launch), *arguments)
    return job.python.words("shim", *arguments)


def _ended(clock: Clock, folder: Path, script: Script) -> CandidateFailed:
    """Return why a candidate failed that ended before it was evaluated."""
    process = clock.process
    while process.returncode is None:  # it has closed its socket
        clock.listen([], [])
    process.drain()
    return crash.diagnose(
        process.returncode or 0,
        list(process.log.lines),
        process.log.progress,
        str(folder),
        f"{script.path} ended without calling evaluate_bpb",
        process.around(),
    )
