"""Tools that a model may call, with strict schemas: what a call lacks, in words that fix it, and looking things up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.agents.protocol import Library
from bot.agents.quoting import quoted
from bot.agents.skills import Skill

Schema = Mapping[str, Any]
_TYPES: dict[str, type | tuple[type, ...]] = {"string": str, "integer": int, "array": list, "object": dict}


@dataclass(frozen=True)
class Answer:
    """What a tool says to a call. `result` ends the conversation; `returned` says a hand-in came back."""

    text: str
    is_error: bool = False
    returned: bool = False
    result: Any = None


@dataclass(frozen=True)
class Tool:
    """One tool: what the model is told of it, and who answers. `answer` gets input that fits the schema."""

    name: str
    description: str
    schema: Schema
    answer: Callable[[Mapping[str, Any]], Answer]

    def offered(self) -> dict[str, Any]:
        """Return the tool as the Messages API wants it."""
        return {
            "name": self.name,
            "description": self.description,
            "input_schema": dict(self.schema),
            "strict": True,
        }


def text(description: str) -> Schema:
    return {"type": "string", "description": description}


def integer(description: str) -> Schema:
    return {"type": "integer", "description": description}


def choice(description: str, options: Sequence[str]) -> Schema:
    return {"type": "string", "enum": list(options), "description": description}


def listing(description: str, items: Schema) -> Schema:
    return {"type": "array", "items": dict(items), "description": description}


def fields(properties: Mapping[str, Schema]) -> Schema:
    """Return an object's schema with all of its properties required and no others allowed, as strict tools want."""
    return {
        "type": "object",
        "properties": {name: dict(schema) for name, schema in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }


def mistake(schema: Schema, value: object, where: str = "input") -> str | None:
    """Return the first way in which `value` differs from `schema`, None if it fits."""
    kind = str(schema["type"])
    if not isinstance(value, _TYPES[kind]) or (kind == "integer" and isinstance(value, bool)):
        return f"{where}: expected {_named(kind)}, not {_named_value(value)}"
    if isinstance(value, dict):
        return _mistake_in_object(schema, value, where)
    if isinstance(value, list):
        found = (mistake(schema["items"], item, f"{where}[{index}]") for index, item in enumerate(value))
        return next((said for said in found if said), None)
    if "enum" in schema and value not in schema["enum"]:
        return f"{where}: expected one of {', '.join(schema['enum'])}, not {str(value)[:60]!r}"
    return None


def _mistake_in_object(schema: Schema, value: Mapping[str, object], where: str) -> str | None:
    missing = [name for name in schema["required"] if name not in value]
    if missing:
        return f"{where}: {', '.join(missing)} missing"
    unknown = [str(name)[:60] for name in value if name not in schema["properties"]]
    if unknown:
        return f"{where}: unknown {', '.join(unknown)}; known: {', '.join(schema['properties'])}"
    found = (mistake(inner, value[name], f"{where}.{name}") for name, inner in schema["properties"].items())
    return next((said for said in found if said), None)


def _named(kind: str) -> str:
    return f"{'an' if kind[0] in 'aio' else 'a'} {kind}"


def _named_value(value: object) -> str:
    names = {bool: "true or false", str: "a string", int: "an integer", list: "an array", dict: "an object"}
    return "null" if value is None else names.get(type(value), f"a {type(value).__name__}")


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
