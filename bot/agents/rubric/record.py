"""What was done on a task so far, as files beside it: work goes on from there after any interruption.

`TASK.rubric/` holds `plan.md`, `round-01.md` with `round-01.json` (its grades), and so on, and `best.md`. A file
stands there whole or not at all; its presence says that the step is done.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.agents.rubric.task import Task
from bot.base.whole import written
from bot.errors import UserError
from bot.git.file_lock import try_lock
from bot.ledger import now, stamp
from bot.rules.bills import Bills
from bot.rules.events import ModelCalled, from_json, to_json


@dataclass(frozen=True)
class Grade:
    """What the grader says of one criterion: 1 to 10, and what is weak."""

    criterion: str
    score: int
    weak: str


@dataclass(frozen=True)
class Round:
    """One version and its grades, in the order of the task's criteria; none yet if it is not graded."""

    number: int
    text: str
    grades: tuple[Grade, ...] = ()

    @property
    def rank(self) -> tuple[int, int]:
        """What makes a version better: its weakest grade, then the sum of all."""
        scores = [grade.score for grade in self.grades]
        return (min(scores), sum(scores)) if scores else (0, 0)


@dataclass(frozen=True)
class Record:
    """The folder of one task."""

    folder: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second command out. Raises `UserError` if one is at work."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as file:
            if not try_lock(file.fileno()):
                raise UserError(f"{self.folder}: another command works on this task: wait for its end")
            yield

    def begin(self, task: Task) -> None:
        """Note which task this is. Raises `UserError` if the folder belongs to an earlier text of it."""
        told = json.dumps([task.text, [asdict(each) for each in task.criteria]], sort_keys=True)
        digest, path = hashlib.sha256(told.encode()).hexdigest(), self.folder / "task.sha256"
        if path.exists() and path.read_text() != digest:
            raise UserError(
                f"{self.folder}: is of an earlier text of the task: move it away to begin anew, or put the text back"
            )
        self._write("task.sha256", digest)

    @property
    def plan(self) -> str | None:
        """The plan, None if there is none yet."""
        path = self.folder / "plan.md"
        return path.read_text() if path.exists() else None

    def write_plan(self, text: str) -> None:
        self._write("plan.md", text)

    def rounds(self) -> list[Round]:
        """Return all versions so far, first to last; only the last may lack its grades."""
        found: list[Round] = []
        while (path := self._path(len(found) + 1, "md")).exists():
            number = len(found) + 1
            found.append(Round(number, path.read_text(), self._grades(number)))
        return found

    def write_version(self, number: int, text: str) -> None:
        self._write(self._path(number, "md").name, text)

    def write_grades(self, number: int, grades: tuple[Grade, ...]) -> None:
        self._write(self._path(number, "json").name, json.dumps([asdict(each) for each in grades], indent=1))

    def write_best(self, text: str) -> Path:
        """Keep the best version under one name; return where."""
        return self._write("best.md", text)

    def bills(self) -> Bills:
        """Return what the calls of models cost so far. Damage at the end, from a full disk, is left out."""
        bills, path = Bills(), self.folder / "calls.jsonl"
        for line in path.read_text().splitlines() if path.exists() else ():
            with contextlib.suppress(ValueError):
                recorded = from_json(json.loads(line))
                if isinstance(recorded.event, ModelCalled):
                    bills.add(recorded.event, recorded.at)
        return bills

    def note_call(self, called: ModelCalled) -> None:
        """Keep what a call of a model cost, before the next one is made."""
        with (self.folder / "calls.jsonl").open("a") as file:
            file.write(json.dumps(to_json(called, at=stamp(now()), by="")) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _grades(self, number: int) -> tuple[Grade, ...]:
        path = self._path(number, "json")
        try:
            return tuple(Grade(**each) for each in json.loads(path.read_text())) if path.exists() else ()
        except (ValueError, TypeError):
            raise UserError(f"{path}: is damaged: delete it, and that version is graded again") from None

    def _path(self, number: int, kind: str) -> Path:
        return self.folder / f"round-{number:02}.{kind}"

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        with written(path, durable=True) as file:
            file.write(text.encode())
        return path
