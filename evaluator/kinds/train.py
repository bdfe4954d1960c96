"""`kind: train`: a script with the contract of autoresearch, scored from what its model says."""

from __future__ import annotations

from evaluator.errors import UserError
from evaluator.job import Job, Say
from evaluator.log import Log
from evaluator.settings import Metric, Settings
from evaluator.stream import Event
from evaluator.workspace import Workspace


def check(settings: Settings, where: str) -> None:
    if settings.call:
        raise UserError(f"{where}: call: goes with kind command, and not with produce: choose one of them")
    if settings.metric != Metric():
        raise UserError(f"{where}: metric: can be chosen if kind is command; train measures val_bpb")


def run(job: Job, space: Workspace, log: Log, say: Say) -> Event:
    from evaluator.training.task import run

    return run(job, space, log, say)
