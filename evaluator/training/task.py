"""A run of kind `train`: start the candidate, keep the clock, take its model and its logits, score, audit."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Mapping
from typing import Any

from evaluator.cuts.judging import Losses
from evaluator.errors import CandidateFailed
from evaluator.job import Job, Say, failed, scored
from evaluator.log import Log
from evaluator.script import located
from evaluator.smoke import SmokeOver, smoked
from evaluator.stream import Event
from evaluator.training import concealed, export, file_systems, reference
from evaluator.training import sheet as sheets
from evaluator.training.reference import Reference
from evaluator.training.run import TrainingRun
from evaluator.training.sheet import Sheet
from evaluator.workspace import Workspace


def run(job: Job, space: Workspace, log: Log, say: Say) -> Event:
    """Train and score the candidate in `space`; return the final event (score or failed).

    Raises `UserError` for what is not the candidate's fault.
    """
    script = located(space.tree, job.settings, shown=job.repo)
    exported = export.load_or_make(job.repo, job.settings, job.jail, job.python)
    whole = job.settings.budget.amount or exported.time_budget
    amount = _part_of(whole, job)
    mark = _under_budget(exported.fingerprint, job.settings.budget.kind, amount)
    files = reference.digest_of(space.tree, (*job.settings.editable, script.path))
    measured_by = _reference(job, files, whole)
    timed = job.settings.budget.kind != "steps" and job.smoke is None
    tokens = {"eval_tokens": exported.eval_tokens, "eval_tokens_of": exported.eval_tokens_of}
    budget = {"kind": job.settings.budget.kind, "amount": amount}
    started = job.started(budget, mark, **tokens, script=script.path, folder=script.folder)
    say(started | ({"is_reference": measured_by is None} if timed else {}))
    known: dict[str, float] = {}
    sheet = sheets.of(exported, job.cuts, job.settings.cuts)
    try:
        concealed.refuse_copies(space.tree, job.settings.editable, exported)
        known.update(tokens, **sheet.facts())
        with contextlib.ExitStack() as stack:
            run = TrainingRun(job, space, script, log, say, exported, amount, measured_by, stack)
            score, audit = _measure(run, sheet, say, known, job.settings.audit_factor)
        result = scored(job, score, known, mark, log)
        result |= {"audit": audit, **tokens}
        if run.clock.is_measured and job.share == 1:
            result["reference"] = run.clock.measures(files).to_json()
    except CandidateFailed as failure:
        result = failed(job, failure, known, mark, log)
        result |= {} if failure.audit is None else {"audit": dict(failure.audit)}
    except SmokeOver as over:
        result = smoked(job, over, known, log, tail=True)  # it has seen nothing that it might tell
    result["metrics"]["total_seconds"] = round(time.monotonic() - job.began, 1)
    return result


def _reference(job: Job, files: str, amount: float) -> Reference | None:
    """Return what this run is measured by; None if it is a run of the reference itself, or counts no time. `files` is
    the digest of the editable files. It was measured with the whole budget, `amount`: what it needed besides is free
    in a run with a part of it, too.

    Raises `UserError` if the reference is of another budget.
    """
    given = job.reference
    if given is None or job.smoke is not None or job.settings.budget.kind == "steps":
        return None
    reference.check(given, kind=job.settings.budget.kind, amount=amount, on_gpu=file_systems.has_gpu())
    return None if given.files == files else given


def _part_of(whole: float, job: Job) -> float:
    """Return the budget of a run that is given its share of the `whole` one: of steps a whole number."""
    if job.share == 1:
        return whole
    part = whole * job.share
    return float(max(1, round(part))) if job.settings.budget.kind == "steps" else part


def _under_budget(fingerprint: str, kind: str, amount: float) -> str:
    """Return the fingerprint of scores under a budget: twice the time is another scale, on the same rows."""
    return hashlib.sha256(f"{fingerprint} {kind} {amount!r}".encode()).hexdigest()


def _measure(
    run: TrainingRun, sheet: Sheet, say: Say, known: dict[str, float], factor: int
) -> tuple[float, Mapping[str, Any]]:
    """Return the score and what the audit found, which asks `factor` times the usual probes and has as much more time;
    `known` receives the run's metrics, however it ends.

    Raises `CandidateFailed`, and `SmokeOver` if this is a smoke run.
    """
    try:
        handed_in = run.hand_in()
    finally:
        run.process.drain()
        known.update(run.clock.metrics(), cpu_seconds=round(run.process.cpu_seconds, 3))
    run.seal()
    say({"event": "scoring"})
    second = run.second()
    began = time.monotonic()
    tally, score, at_cuts = run.examine(handed_in, sheet)
    finding = second.audit(tally, handed_in, run.clock.evaluation_seconds() * factor)
    known["evaluation_seconds"] = round(time.monotonic() - began, 1)
    if at_cuts is not None:
        _hold(sheet, at_cuts, known)
    return score, finding.metrics()


def _hold(sheet: Sheet, at_cuts: Losses, known: dict[str, float]) -> None:
    """Compare what a run lost at the cuts with others, and keep it; `known` receives what was found.

    Raises `CandidateFailed` if its gain does not hold there.
    """
    compared = sheet.compared(at_cuts)
    if sheets.INCUMBENT in compared:
        known.update(compared[sheets.INCUMBENT].metrics())
    for over, found in compared.items():
        if found.refuses:
            raise found.refusal(over)
    sheet.keep(at_cuts)
