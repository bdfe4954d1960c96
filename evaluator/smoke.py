"""A smoke run: a candidate is started as for a run, with a budget of a few steps, and ended before it is scored.

It tells whether the candidate starts, trains and hands its model in, what memory that takes, and how it fails. It
never tells a score: no validation token is sent, and what a command measures is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evaluator.job import Job
from evaluator.log import Log
from evaluator.stream import Event

_STEPS = 3.0
_PART = 20.0  # of the time that a smoke run may take, so much is the budget that it is told


class SmokeOver(Exception):
    """All that a smoke run looks at went well, or its time is up.

    `reached` says how far it came: `startup`, `training`, `evaluation`, `running` if its time was up there,
    `ended` if a command came to its end, `handed_in` if a model answered. `shapes` are of what it answered.
    """

    def __init__(self, reached: str, shapes: Mapping[str, Sequence[int]] | None = None) -> None:
        self.reached = reached
        self.shapes = dict(shapes or {})
        super().__init__(reached)


def told_amount(job: Job, amount: float) -> float:
    """Return the budget that the candidate hears of: a small one in a smoke run."""
    if job.smoke is None:
        return amount
    return min(amount, _STEPS if job.settings.budget.kind == "steps" else job.smoke / _PART)


def smoked(job: Job, over: SmokeOver, metrics: Mapping[str, float], log: Log, *, tail: bool) -> Event:
    """Return the final event of a smoke run without a failure, with what was printed if `tail` allows it."""
    return {
        "event": "smoke",
        "reached": over.reached,
        "shapes": {name: list(shape) for name, shape in over.shapes.items()},
        "metrics": dict(metrics),
        "seed": job.seed,
        "jail": job.jail.name,
        "log_tail": log.tail() if tail else "",
    }
