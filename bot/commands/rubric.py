"""`nocturne rubric TASK.md`: work on a task whose only measure is a list of criteria, until a grader passes it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

from bot.agents.rubric.record import Record
from bot.agents.rubric.rounds import End, work_on
from bot.agents.rubric.task import read_task
from bot.base.text import one_line
from bot.errors import UserError


def run(*, task: Path, rounds: int | None, as_json: bool) -> int:
    given = read_task(task)
    if rounds is not None:
        given = replace(given, settings=given.settings.model_copy(update={"rounds": rounds}))
    from bot.agents.claude.failures import NoAnswer
    from bot.agents.rubric.claude import writer_and_grader

    record = Record(_folder(task))
    with record.locked():
        writer, grader = writer_and_grader(given, record, os.environ, note=_say)
        try:
            end = work_on(given, record, writer, grader, (lambda _: None) if as_json else _say)
        except NoAnswer as error:
            raise UserError(
                f"{task}: Claude gave no answer ({error}): run it again, it goes on from there"
            ) from None
    usd = record.bills().total.usd
    if as_json:
        print(
            json.dumps(
                {"outcome": end.outcome, "rounds": end.rounds, "best": asdict(end.best), "cost_usd": usd}
            )
        )
    else:
        print(_told(end, record, usd))
    return 0 if end.outcome == "passed" else 1


def _folder(task: Path) -> Path:
    """Return the folder beside a task; one that an earlier version began keeps its name for now."""
    folder, earlier = task.with_suffix(".rubric"), task.with_suffix(".loop")
    if folder.exists() or not earlier.is_dir():
        return folder
    said = f"{earlier}: rename it to {folder.name}: the next release looks there only"
    print(f"nocturne: {said}", file=sys.stderr)
    return earlier


def _told(end: End, record: Record, usd: float) -> str:
    head = "passed" if end.outcome == "passed" else "not passed, and no round is left"
    lines = [f"{head}: version {end.best.number} of {end.rounds}, ${usd:.2f}: {record.folder / 'best.md'}"]
    for grade in sorted(end.best.grades, key=lambda each: each.score):
        lines.append(f"  {grade.score:>2}  {one_line(grade.criterion, 60)}: {one_line(grade.weak, 100)}")
    return "\n".join(lines)


def _say(text: str) -> None:
    print(one_line(text, 400), flush=True)
