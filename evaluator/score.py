"""One run, from a repository to its final event: the reference first if one is needed, then the candidate."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from evaluator import proctree
from evaluator.errors import UserError
from evaluator.interpreter.task_python import TaskPython
from evaluator.jail import choose
from evaluator.job import Job, Say, source_of
from evaluator.kinds import kind_of
from evaluator.log import Log
from evaluator.settings import Settings
from evaluator.stream import Event, write_result
from evaluator.workspace import private_copy

if TYPE_CHECKING:
    from evaluator.cuts.keeping import Keeping


def score(
    repo: Path,
    settings: Settings,
    python: TaskPython,
    say: Say,
    *,
    seed: int = 0,
    train: Path | None = None,
    smoke: float | None = None,
    reference: Path | None = None,
    out: Path | None = None,
    cuts: Keeping | None = None,
    share: float = 1.0,
) -> Event:
    """Train and score the tree in `repo` once, with `train` in place of its script if given; return the final event.

    `reference` is the file of the reference's measures: read if it is there, else written. `out` is a folder for
    log.txt and result.json. `cuts` is where the secret of the cuts is kept. `share` is the part of
    the budget that the run is given. Raises `UserError` for what is not the
    candidate's fault.
    """
    began = time.monotonic()
    proctree.require_linux()
    job = Job(repo, settings, seed, began, choose(settings.jail), python, smoke, share=share)
    counts_time = settings.kind == "train" and settings.budget.kind != "steps" and smoke is None
    if reference is not None and not counts_time:
        raise UserError("--reference: is for `kind: train` with a budget of time: leave it out")
    if share < 1:
        _check_share(job, reference, train, cuts)
    if cuts is not None and smoke is None:
        job = _with_cuts(job, cuts)
    if counts_time:
        job = _with_reference(job, train, reference, say)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "result.json").unlink(missing_ok=True)
    log = Log(out / "log.txt" if out is not None else None)
    try:
        with private_copy(source_of(repo, settings, train), short=job.jail.in_place) as space:
            result = kind_of(settings.kind).run(job, space, log, say)
    finally:
        log.close()
    if job.reference is None and reference is not None and "reference" in result:
        _keep_reference(reference, result)
    if out is not None:
        write_result(out, result)
    return result


def _check_share(job: Job, reference: Path | None, train: Path | None, cuts: Keeping | None) -> None:
    """Raise `UserError` if a run can't be given a part of its budget as it was ordered."""
    if cuts is not None:
        raise UserError("--cuts: are for runs with the whole budget: leave them out, or --budget-share")
    if job.settings.kind == "command":
        from evaluator.command.locked import SHARE, reads_share

        if not reads_share(job):
            raise UserError(
                f"--budget-share: nothing that is locked here reads {SHARE}, so the command would take all its time:"
                f" let it do that part of its work, or leave --budget-share out"
            )
    elif reference is not None and train is None and not reference.exists():
        raise UserError(
            f"--budget-share: {reference} is not there: the reference is measured with the whole budget first"
        )


def _with_cuts(job: Job, cuts: Keeping) -> Job:
    """Return `job` with cuts; raise `UserError` if it could read where they are, or has none."""
    if job.settings.kind != "train":
        raise UserError("--cuts: is for `kind: train`: leave it out")
    if job.jail.name == "none":
        raise UserError("--cuts: without a jail a candidate could read them: leave it out")
    return replace(job, cuts=cuts)


def _with_reference(job: Job, train: Path | None, file: Path | None, say: Say) -> Job:
    """Return `job` with its reference: from `file` if that is there, else from a run of the repository's own script
    if `train` is to take its place. Without `train` the run itself is the reference.

    Raises `UserError` if the reference can't be read or made.
    """
    from evaluator.training import reference

    if file is not None and file.exists():
        return replace(job, reference=reference.read(file))
    if train is None:
        return job
    say(
        {
            "event": "reference",
            "said": f"no reference is known: {job.repo}'s own script runs first, and is measured",
        }
    )
    with private_copy(job.source, short=job.jail.in_place) as space:
        result = kind_of("train").run(replace(job, cuts=None, share=1.0), space, Log(), lambda event: None)
    if "reference" not in result:
        raise UserError(
            f"{job.repo}: there is no reference to measure {train} by: its own script failed"
            f" ({result['class']}: {result['reason']})"
        )
    if file is not None:
        _keep_reference(file, result)
    say({"event": "reference", "said": f"measured; now {train}", "reference": result["reference"]})
    return replace(job, reference=reference.Reference(**result["reference"]), began=time.monotonic())


def _keep_reference(file: Path, result: Event) -> None:
    from evaluator.training import reference

    reference.write(file, reference.Reference(**result["reference"]))
