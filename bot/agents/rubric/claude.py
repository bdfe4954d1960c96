"""Claude as the writer and the grader of a rubric. They share nothing but the task's text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.agents.claude.budget import Budget, Caps
from bot.agents.claude.client import Claude
from bot.agents.claude.replies import Block
from bot.agents.claude.settings import ModelRole
from bot.agents.claude.tools import Answer, Tool, choice, fields, integer, listing, text
from bot.agents.claude.transcripts import Conversations
from bot.agents.quoting import RULE, quoted
from bot.agents.rubric.record import Grade, Record, Round
from bot.agents.rubric.task import Task
from bot.base.redact import Redactor
from bot.config import Models
from bot.rules.campaign import Campaign

_WEAK = 2_000  # characters of what the grader says of one criterion
_VERSION = 200_000
_WRITER = (
    "You do one piece of work in several versions. A strict grader who sees only the task, the criteria and your"
    " version grades each criterion from 1 to 10; every one has to pass. Hand in by the tool, always the whole"
    " work and nothing around it: no notes to the grader, no word about versions or grades."
)
_GRADER = (
    "You grade one piece of work against a list of criteria, each by itself, from 1 to 10. 10: nothing could be"
    " better. 8: what is weak would not be missed by a demanding reader. 5: half of it is there. 1: it is not"
    " there. Judge what stands in the work and not what it promises or says about itself. Of every criterion say"
    " exactly what is weak and where; nothing may be left empty below 10. Hand the grades in by the tool. "
    + RULE
)


@dataclass(frozen=True)
class ClaudeWriter:
    """Plans and writes. Raises what `ModelRole.ask` raises."""

    role: ModelRole

    def plan(self, task: Task) -> str:
        """See `bot.agents.rubric.rounds.Writer`."""
        return self._ask(0, task, "Plan the work before you write it: hand in the plan, at most a page.")

    def write(self, task: Task, plan: str, last: Round | None, weakest: Sequence[Grade]) -> str:
        """See `bot.agents.rubric.rounds.Writer`."""
        parts = [f"Your plan:\n\n{plan}"]
        if last is None:
            parts.append("Hand in the first version.")
        else:
            parts.append(quoted(last.text, f"your version {last.number}, the best so far", _VERSION))
            parts.append("What the grader found too weak, the weakest first:")
            parts += [quoted(f"{each.score} of 10: {each.weak}", each.criterion, _WEAK) for each in weakest]
            parts.append(
                "Hand in the next version. Improve the first of these before all, and lose nothing of what is good."
            )
        return self._ask(last.number + 1 if last else 1, task, "\n\n".join(parts))

    def _ask(self, number: int, task: Task, words: str) -> str:
        tool = Tool(
            "hand_in", "Hands in the whole text.", fields({"text": text("The text, as Markdown.")}), _whole
        )
        said = self.role.ask(number, _system(_WRITER, task), [tool], "hand_in", (), words)
        return str(said)


@dataclass(frozen=True)
class ClaudeGrader:
    """Grades. Raises what `ModelRole.ask` raises."""

    role: ModelRole

    def grade(self, task: Task, text: str) -> tuple[Grade, ...]:
        """See `bot.agents.rubric.rounds.Grader`."""
        words = f"{quoted(text, 'the work', _VERSION)}\n\nGrade it."
        found = self.role.ask(0, _system(_GRADER, task), [_grades_tool(task)], "grade", (), words)
        assert isinstance(found, tuple)
        return found


def writer_and_grader(
    task: Task, record: Record, environ: Mapping[str, str], *, note: Callable[[str], None]
) -> tuple[ClaudeWriter, ClaudeGrader]:
    """Return both, each with a model of its own. Raises `UserError` if there is no key."""
    claude, redact, models = Claude(environ, note=note), Redactor(environ), Models()
    transcripts = Conversations(record.folder / "conversations", redact=redact)

    def spent() -> Campaign:
        return Campaign(bills=record.bills())

    def role_of(role: str, model: str) -> ModelRole:
        def budget(_round: int) -> Budget:
            return Budget(None, role, Caps(campaign_usd=task.settings.usd), spent, record.note_call)

        return ModelRole(
            claude, model, budget, lambda number, name: transcripts.begin(number, role, name), redact
        )

    writer = role_of("writer", task.settings.models.writer or models.proposer)
    return ClaudeWriter(writer), ClaudeGrader(
        role_of("grader", task.settings.models.grader or models.reviewer)
    )


def _whole(given: Mapping[str, Any]) -> Answer:
    handed = str(given["text"]).strip()
    if not handed:
        return Answer("The text is empty: hand in the whole text.", is_error=True, returned=True)
    return Answer("", result=handed + "\n")


def _grades_tool(task: Task) -> Tool:
    names = [criterion.name for criterion in task.criteria]
    one = fields(
        {
            "criterion": choice("Which one.", names),
            "weak": text("What is weak, and where; first think it through here, then grade."),
            "score": integer("1 to 10."),
        }
    )

    def taken(given: Mapping[str, Any]) -> Answer:
        grades = {str(each["criterion"]): each for each in given["grades"]}
        missing = [name for name in names if name not in grades]
        wrong = [name for name, each in grades.items() if not 1 <= int(each["score"]) <= 10]
        silent = [
            name for name, each in grades.items() if int(each["score"]) < 10 and not each["weak"].strip()
        ]
        if missing or len(grades) < len(given["grades"]):
            said = f"not graded: {', '.join(missing)}" if missing else "a criterion is graded twice"
            return Answer(f"Grade each criterion once ({said}).", is_error=True, returned=True)
        if wrong or silent:
            said = (
                f"no grade from 1 to 10: {', '.join(wrong)}"
                if wrong
                else f"no word of what is weak: {', '.join(silent)}"
            )
            return Answer(f"Grade them again: {said}.", is_error=True, returned=True)
        made = (Grade(name, int(grades[name]["score"]), str(grades[name]["weak"])[:_WEAK]) for name in names)
        return Answer("", result=tuple(made))

    grades = fields({"grades": listing("One for each criterion.", one)})
    return Tool("grade", "Hands in a grade for each criterion.", grades, taken)


def _system(instructions: str, task: Task) -> list[Block]:
    criteria = "\n".join(f"- {criterion.name}: {criterion.text}" for criterion in task.criteria)
    said = f"{instructions}\n\n# The task\n\n{task.text}\n\n# The criteria\n\n{criteria}"
    return [{"type": "text", "text": said, "cache_control": {"type": "ephemeral"}}]
