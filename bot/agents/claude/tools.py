"""Tools that a model may call: strict schemas, and what a call's input lacks, in words that fix it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
