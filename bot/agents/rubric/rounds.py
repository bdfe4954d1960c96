"""The rounds of a rubric: which step is next, and when it ends. Who writes and who grades stand behind protocols."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from bot.agents.rubric.record import Grade, Record, Round
from bot.agents.rubric.task import Task


class Writer(Protocol):
    """The one who does the work."""

    def plan(self, task: Task) -> str:
        """Return how the task is going to be done."""
        ...

    def write(self, task: Task, plan: str, last: Round | None, weakest: Sequence[Grade]) -> str:
        """Return a whole version: the first if `last` is None, else one that improves `weakest` before all."""
        ...


class Grader(Protocol):
    """The one who judges. Sees the task, the criteria and a version; never a plan or another version."""

    def grade(self, task: Task, text: str) -> tuple[Grade, ...]:
        """Return a grade for each criterion, in the task's order."""
        ...


@dataclass(frozen=True)
class End:
    """How the work on a task ended: `passed` or at its last round, with its best version."""

    outcome: Literal["passed", "rounds"]
    best: Round
    rounds: int


def work_on(task: Task, record: Record, writer: Writer, grader: Grader, say: Callable[[str], None]) -> End:
    """Go on with a task from what is on disk until every grade passes or the rounds are used up.

    What a step returned is on disk before the next one begins: interrupted, no step that was paid for is lost.
    """
    record.begin(task)
    if record.plan is None:
        say("planning")
        record.write_plan(writer.plan(task))
    rounds = record.rounds()
    while True:
        if rounds and not rounds[-1].grades:
            last = rounds.pop()
            say(f"round {last.number}: grading")
            record.write_grades(last.number, grader.grade(task, last.text))
            rounds = record.rounds()
            say(f"round {last.number}: {summary(rounds[-1])}")
        if rounds:
            best = max(rounds, key=lambda each: each.rank)
            record.write_best(best.text)
            passed = best.rank[0] >= task.settings.passing
            if passed or len(rounds) >= task.settings.rounds:
                return End("passed" if passed else "rounds", best, len(rounds))
        number = len(rounds) + 1
        say(f"round {number}: writing")
        base = max(rounds, key=lambda each: each.rank) if rounds else None
        text = writer.write(task, record.plan or "", base, weakest(task, base) if base else ())
        record.write_version(number, text)
        rounds = record.rounds()


def weakest(task: Task, version: Round) -> list[Grade]:
    """Return the grades that do not pass, the weakest first."""
    return sorted((g for g in version.grades if g.score < task.settings.passing), key=lambda g: g.score)


def summary(version: Round) -> str:
    """Say a version's grades in one line."""
    return ", ".join(f"{grade.criterion} {grade.score}" for grade in version.grades)
