"""`kind: command`: any locked program that prints its metric."""

from __future__ import annotations

from evaluator.errors import UserError
from evaluator.job import Job, Say
from evaluator.log import Log
from evaluator.settings import Settings
from evaluator.stream import Event
from evaluator.workspace import Workspace


def check(settings: Settings, where: str) -> None:
    if not settings.command:
        raise UserError(f"{where}: command: must be given if kind is command, such as [python, bench.py]")
    if settings.call and settings.produce:
        raise UserError(f"{where}: call: goes with kind command, and not with produce: choose one of them")
    if settings.launch:
        raise UserError(f"{where}: launch: goes with kind train; put the words into command or produce")


def run(job: Job, space: Workspace, log: Log, say: Say) -> Event:
    from evaluator.command.task import run

    return run(job, space, log, say)
