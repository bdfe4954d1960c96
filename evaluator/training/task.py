"""A run of kind `train`: start the candidate, keep the clock, ask for logits, compute the score."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from pathlib import Path

import numpy as np

from evaluator import candidate, crash, export, wire
from evaluator.clock import Clock
from evaluator.errors import CandidateFailed, UserError
from evaluator.job import Job, Say, failed, scored
from evaluator.log import Log
from evaluator.scoring import Tally
from evaluator.stream import Event
from evaluator.workspace import Workspace

_SHIM = Path(__file__).with_name("shim.py")


def run(job: Job, space: Workspace, log: Log, say: Say) -> Event:
    """Train and score the candidate in `space`; return the final event (score or failed).

    Raises `UserError` for what is not the candidate's fault.
    """
    if not (space.tree / "train.py").is_file():
        raise UserError(f"{job.repo}: no train.py: it is what is trained and scored")
    exported = export.load_or_make(job.repo, job.settings.eval_tokens)
    amount = job.settings.budget.amount or exported.time_budget
    say(job.started({"kind": job.settings.budget.kind, "amount": amount}, exported.fingerprint))
    ours, theirs = socket.socketpair()
    env = candidate.environment(job.settings, seed=job.seed, scratch=space.scratch, amount=amount)
    env["NOCTURNE_SCORER"] = str(theirs.fileno())
    command = [sys.executable, "-s", "-B", str(_SHIM), "train.py"]
    clock = None
    with contextlib.closing(ours):
        process = candidate.Candidate(command, tree=space.tree, env=env, log=log, inherit=theirs)
        theirs.close()
        try:
            clock = Clock(process, job.settings, amount, say)
            score = _converse(wire.Wire(ours, clock.wait), clock, exported, say, space)
            result = scored(job, score, clock.metrics(), exported.fingerprint, log)
        except CandidateFailed as failure:
            result = failed(job, failure, clock.metrics() if clock else {}, exported.fingerprint, log)
        finally:
            process.close()
    result["metrics"]["total_seconds"] = round(time.monotonic() - job.began, 3)
    result["metrics"]["cpu_seconds"] = round(process.cpu_seconds, 3)
    return result


def _converse(line: wire.Wire, clock: Clock, exported: export.Exported, say: Say, space: Workspace) -> float:
    """Go through one run with the shim and return the score; raise `CandidateFailed`."""
    batch_rows = 0
    while True:
        frame = line.receive()
        if frame is None:
            raise _ended(clock, space)
        if frame.kind == wire.HELLO and clock.phase == "startup":
            _check_data(bytes(frame.body), exported)
        elif frame.kind == wire.FIRST_BATCH and clock.phase == "startup":
            clock.enter("training")
        elif frame.kind == wire.EVALUATE and clock.phase == "training":
            clock.enter("evaluation")
            clock.process.drain()
            clock.process.log.progress.mark(clock.training_used or 0.0)
            batch_rows = _take_report(bytes(frame.body), clock)
            over = clock.overrun()
            if over:
                raise CandidateFailed("refused", over)
            say({"event": "scoring"})
        elif frame.kind == wire.EVALUATE and clock.phase == "startup":
            raise CandidateFailed(
                "refused", "evaluate_bpb was called before any training batch was asked for"
            )
        elif frame.kind == wire.READY and clock.phase == "evaluation":
            break
        else:
            raise CandidateFailed("refused", "the candidate's messages to the scorer are out of order")
    clock.process.drain()
    clock.process.log.close("the evaluation began here; what is printed after it is not kept")
    try:
        return _evaluate(line, clock, exported, batch_rows)
    except (BrokenPipeError, ConnectionResetError):
        raise _died_in_evaluation() from None


def _check_data(said: bytes, exported: export.Exported) -> None:
    if said.decode(errors="replace") != exported.prepare_fingerprint[:64]:
        raise UserError(
            "the prepared data has changed since its validation rows were exported: run"
            " `nocturne-evaluator prepare` on this repository, and measure the baseline again"
        )


def _take_report(body: bytes, clock: Clock) -> int:
    """Note what the shim claims, before it has seen any validation token; return the batch rows."""
    if len(body) != wire.REPORT.size:
        raise CandidateFailed("refused", "the candidate sent the scorer something that is no message")
    rows, parameters, tokens, peak = wire.REPORT.unpack(body)
    if rows < 1:
        raise CandidateFailed("refused", f"evaluate_bpb was called with a batch size of {rows}")
    clock.told = {
        "num_params_M": round(parameters / 1e6, 6),
        "total_tokens_M": round(tokens / 1e6, 6),
        "peak_vram_mb": round(peak, 1) if 0 <= peak < 1e9 else 0.0,
    }
    return int(rows)


def _evaluate(line: wire.Wire, clock: Clock, exported: export.Exported, batch_rows: int) -> float:
    """Send the validation rows, take logits, return bits per byte; then let the candidate end."""
    rows = len(exported.inputs)
    vocabulary = len(exported.token_bytes)
    tally = Tally(exported.targets.reshape(-1), exported.token_bytes)
    for start in range(0, rows, batch_rows):
        batch = exported.inputs[start : start + batch_rows]
        line.send(wire.TOKENS, np.array(batch.shape, "<u4").tobytes(), batch.astype("<i4").tobytes())
        left = batch.size
        while left:
            frame = line.receive()
            if frame is None:
                raise _died_in_evaluation()
            if frame.kind == wire.EVALUATE:
                raise _called_again()
            count, rest = divmod(len(frame.body), 4 * vocabulary)
            if frame.kind != wire.LOGITS or rest or not 0 < count <= left:
                raise CandidateFailed("refused", "the candidate sent logits of the wrong size")
            tally.add(np.frombuffer(frame.body, "<f4").reshape(count, vocabulary))
            left -= count
            clock.look()
    score = tally.bits_per_byte()
    line.send(wire.SCORE, np.array(score, "<f8").tobytes())
    _let_end(line, clock)
    return score


def _let_end(line: wire.Wire, clock: Clock) -> None:
    """Wait until the candidate has ended. How it ends is nothing to us; that it asks again is."""
    while clock.process.returncode is None:
        try:
            frame = line.receive()
        except CandidateFailed as failure:
            if failure.kind != "timeout":
                raise
            raise CandidateFailed(
                "refused", "train.py went on after evaluate_bpb instead of ending"
            ) from None
        if frame is None:
            _wait_for_end(clock)
        elif frame.kind == wire.EVALUATE:
            raise _called_again()


def _wait_for_end(clock: Clock) -> None:
    """Wait for a candidate that has closed its socket."""
    while clock.process.returncode is None:
        clock.process.listen(0.05)
        clock.look()


def _ended(clock: Clock, space: Workspace) -> CandidateFailed:
    """Return why a candidate failed that ended before it was evaluated."""
    _wait_for_end(clock)
    clock.process.drain()
    log = clock.process.log
    return crash.diagnose(
        clock.process.returncode or 0,
        list(log.lines),
        log.progress,
        str(space.tree),
        "train.py ended without calling evaluate_bpb",
    )


def _died_in_evaluation() -> CandidateFailed:
    return CandidateFailed("error", "train.py ended while its model was being evaluated")


def _called_again() -> CandidateFailed:
    return CandidateFailed("refused", "evaluate_bpb was called a second time; once, at the end, is allowed")
