"""Runs that share a concurrency group: one runs, one is pending, and a newer one takes the place of the pending.

https://docs.github.com/actions/how-tos/write-workflows/choose-when-workflows-run/control-workflow-concurrency
"""

from __future__ import annotations

from datetime import datetime

from tests.github.records import Run


def admit(runs: dict[int, Run], run: Run, now: datetime) -> None:
    """Add a new run: queued where its group is free, else pending in the place of what was pending there."""
    others = [] if run.group is None else [each for each in runs.values() if each.group == run.group]
    if any(each.status in ("queued", "in_progress") for each in others):
        for each in others:
            if each.status == "pending":
                each.status, each.conclusion, each.updated = "completed", "cancelled", now
        run.status = "pending"
    runs[run.id] = run


def end(runs: dict[int, Run], run: Run, conclusion: str, now: datetime) -> None:
    """Let a run be over; what is pending in its group is queued."""
    held = run.status != "pending"
    run.status, run.conclusion, run.updated = "completed", conclusion, now
    if held and run.group is not None:
        for each in runs.values():
            if each.group == run.group and each.status == "pending":
                each.status = "queued"
