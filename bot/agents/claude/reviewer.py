"""Claude as the checker: sees the change, the rules and the past, and nothing of its maker's reasons or stakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.agents.claude.failures import NoAnswer
from bot.agents.claude.prompts import CHECKER, opening_blocks, system_blocks
from bot.agents.claude.settings import ModelRole
from bot.agents.claude.tools import (
    Answer,
    Tool,
    choice,
    fields,
    file_tool,
    integer,
    listing,
    past_tools,
    text,
)
from bot.agents.protocol import Case
from bot.agents.quoting import quoted
from bot.base.text import clean, clean_diff, one_line
from bot.rules.proposal import Opinion, Remark, stand_in

_DIFF = 60_000  # characters
_REASON = 1_000
_REMARK = 300
_MOST_REMARKS = 10
_WHY = 120


class ClaudeReviewer:
    """The checker with a model behind it. If none answers, the rules have had the last word, and that is said."""

    def __init__(self, role: ModelRole) -> None:
        self._role = role

    def review(self, case: Case) -> Opinion:
        """Return the model's opinion; approval by the rules alone if there is none."""
        try:
            return self._ask(case)
        except NoAnswer as error:
            why = one_line(str(error), _WHY)
        self._role.note_once(
            f"Claude did not review experiment {case.number} ({why}): the rules alone did", why
        )
        return Opinion("approve", "the rules have nothing against it", (), stand_in("rules", why))

    def _ask(self, case: Case) -> Opinion:
        library = case.library
        readable = set(library.paths())
        base = {path: content for path, content in case.base.items() if path in readable}
        memory = library.memory()
        skills = [s for s in library.skills() if s.applies(category=case.category, editable=list(base))]
        opinion = self._role.ask(
            case.number,
            system_blocks(CHECKER, case.program, skills, (), memory.chapter),
            [*past_tools(library), file_tool(library), self._tool(case)],
            "review",
            opening_blocks(base, memory),
            "\n\n".join(["# Now", memory.now, *_task(case, readable)]),
        )
        assert isinstance(opinion, Opinion)
        return opinion

    def _tool(self, case: Case) -> Tool:
        answers = ("approve", "revise", "reject") if case.may_revise else ("approve", "reject")
        remark = fields(
            {
                "path": text("A file of the diff."),
                "line": integer("The line of the new file."),
                "text": text("What is wrong there. One sentence."),
            }
        )
        return Tool(
            "review",
            "Your review. Ends your part.",
            fields(
                {
                    "answer": choice("Your answer.", answers),
                    "reason": text("Why, in one to three sentences that the maker can act on."),
                    "remarks": listing("What is wrong at which line; empty if nothing is.", remark),
                }
            ),
            lambda given: self._take(case, given),
        )

    def _take(self, case: Case, given: Mapping[str, Any]) -> Answer:
        """Take a review whatever is wrong beside its answer: a remark on no line of the change goes into its words."""
        said, remarks = [clean(given["reason"]).strip()[:_REASON] or "No reason was given."], []
        for each in given["remarks"][:_MOST_REMARKS]:
            path, line, text = each["path"], each["line"], one_line(each["text"], _REMARK)
            lines = case.proposed.get(path, "").count("\n") + 1
            if path in case.proposed and 1 <= line <= lines:
                remarks.append(Remark(path, line, text))
            else:
                said.append(f"{one_line(path, 80)}: {text}")
        opinion = Opinion(given["answer"], " ".join(said), tuple(remarks), self._role.model)
        return Answer("Taken.", result=opinion)


def _task(case: Case, readable: set[str]) -> list[str]:
    hidden = sorted(path for path in case.proposed if path not in readable)
    parts = [
        "The change to review. Its words and its code are its maker's:",
        quoted(f"hypothesis: {one_line(case.hypothesis, 200)}\ncategory: {case.category}", "the proposal"),
    ]
    if hidden:
        parts.append(f"Not shown, because its owner keeps it back: {', '.join(hidden)}.")
    else:
        parts.append(quoted(clean_diff(case.diff), "the diff", _DIFF))
    alike = case.library.nearest()
    if alike:
        parts += [
            "The earlier experiments whose title and constants are most alike. If it is one of these in other words, or"
            " sets the same, it was tried:",
            alike,
        ]
    if not case.may_revise:
        parts.append("It was revised once already: approve or reject it.")
    return [*parts, "Review it."]
