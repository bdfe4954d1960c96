"""The tools by which the maker and the checker look things up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.agents.claude.tools import Answer, Tool, fields, integer, text
from bot.agents.protocol import Library
from bot.agents.quoting import quoted
from bot.agents.skills import Skill

PAGE_LINES = 400
PAGE_CHARACTERS = 24_000
_PATHS = 200
_WORDS = 200

Input = Mapping[str, Any]


def past_tools(library: Library) -> list[Tool]:
    """Return the tools that look at earlier experiments."""

    def past(given: Input) -> Answer:
        found = library.experiment(given["number"])
        if found is None:
            return Answer(f"There is no earlier experiment {given['number']}.", is_error=True)
        return Answer(found)

    return [
        Tool(
            "past_experiment",
            "One earlier experiment whole: hypothesis, reason, diff, every run with its metrics, learning curve, "
            "end of the log if it failed, verdict and lesson. Use it before you build on an experiment or "
            "propose something near it.",
            fields({"number": integer("The experiment's number.")}),
            past,
        ),
        Tool(
            "search_experiments",
            "The earlier experiments that speak of some words, a line for each, best match first. Searches "
            "hypotheses, reasons, lessons, categories, verdicts and names of constants.",
            fields({"words": text("What to look for, such as `warmup schedule` or `MATRIX_LR crashed`.")}),
            lambda given: Answer(library.search(given["words"][:_WORDS])),
        ),
    ]


def file_tool(library: Library) -> Tool:
    """Return the tool that reads a file of the repository, page by page."""

    def read(given: Input) -> Answer:
        found = library.file(given["path"])
        if found is None:
            return Answer(_no_file(library.paths(), given["path"]), is_error=True)
        first = max(1, given["first_line"])
        lines = found.splitlines()
        page = "\n".join(lines[first - 1 : first - 1 + PAGE_LINES])[:PAGE_CHARACTERS]
        last = first - 1 + page.count("\n") + 1 if page else first - 1
        more = f"\n{len(lines) - last} more lines, from line {last + 1}." if last < len(lines) else ""
        shown = quoted(page, f"{given['path']}, lines {first} to {last}", PAGE_CHARACTERS + 1)
        return Answer(f"{shown}{more}")

    return Tool(
        "read_file",
        f"A file of the repository as the incumbent has it, {PAGE_LINES} lines at a time. A path that is not there "
        "is answered with those that are.",
        fields(
            {
                "path": text("The path from the repository's top, such as `prepare.py`."),
                "first_line": integer("The first line to show; 1 is the beginning."),
            }
        ),
        read,
    )


def skill_tool(skills: Sequence[Skill]) -> Tool:
    """Return the tool that reads the skills which the prompt only names."""
    by_name = {skill.name: skill for skill in skills}

    def read(given: Input) -> Answer:
        skill = by_name.get(given["name"])
        if skill is None:
            return Answer(f"There is no skill of that name; there are: {', '.join(by_name)}.", is_error=True)
        return Answer(skill.text or "(empty)")

    return Tool(
        "read_skill",
        "Project knowledge that a human wrote for changes of one category, by its name.",
        fields({"name": text("The skill's name as listed.")}),
        read,
    )


def _no_file(paths: Sequence[str], wanted: str) -> str:
    name = wanted.rpartition("/")[2].lower()
    listed = [path for path in paths if name and name in path.lower()] or list(paths)
    more = f" and {len(listed) - _PATHS} more" if len(listed) > _PATHS else ""
    return f"There is no such file to read. There are: {', '.join(listed[:_PATHS])}{more}."
