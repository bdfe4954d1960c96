"""Tool definitions, the schemas of strict ones, and the choice among them.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs: what a strict schema may hold.
"""

from __future__ import annotations

import re
from typing import Any

import jsonschema

from tests.messages.models import Rules
from tests.messages.refusal import bad, items, known, mapping, needed, string

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
MOST_STRICT, MOST_OPTIONAL, MOST_UNIONS = 20, 24, 16
_TOOL_KEYS = (
    "name", "description", "input_schema", "cache_control", "strict", "type", "input_examples", "defer_loading",
    "allowed_callers", "eager_input_streaming",
)  # fmt: skip
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
_STRICT_KEYS = (
    "type", "properties", "required", "additionalProperties", "description", "title", "enum", "const", "anyOf",
    "allOf", "$ref", "$defs", "definitions", "default", "format", "pattern", "items", "minItems",
)  # fmt: skip
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")


def check_tools(tools: Any) -> dict[str, dict[str, Any]]:
    """Return the tools by name."""
    found: dict[str, dict[str, Any]] = {}
    counts = {"optional": 0, "unions": 0}
    for number, tool in enumerate(items(tools, "tools")):
        where = f"tools.{number}"
        if mapping(tool, where).get("type") not in (None, "custom"):
            raise bad(f"{where}.type: this server has no tools of its own")
        known(tool, _TOOL_KEYS, f"{where}.custom.")
        needed(tool, ("name", "input_schema"), f"{where}.custom.")
        name = string(tool["name"], f"{where}.custom.name")
        if not NAME.fullmatch(name):
            raise bad(f"{where}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
        if name in found:
            raise bad("tools: Tool names must be unique.")
        string(tool.get("description", ""), f"{where}.custom.description")
        schema = mapping(tool["input_schema"], f"{where}.custom.input_schema")
        if schema.get("type") != "object":
            raise bad(f"{where}.custom.input_schema.type: Input should be 'object'")
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            raise bad(
                f"{where}.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12"
                f" ({error.message})"
            ) from None
        if tool.get("strict"):
            check_strict(schema, f"{where}.custom", schema, counts)
        found[name] = tool
    if sum(bool(tool.get("strict")) for tool in found.values()) > MOST_STRICT:
        raise bad(f"tools: Too many strict tools: the maximum is {MOST_STRICT}")
    check_complexity(counts)
    return found


def check_complexity(counts: dict[str, int]) -> None:
    if counts["optional"] > MOST_OPTIONAL:
        raise bad(
            f"Schemas contains too many optional parameters ({counts['optional']}), limit: {MOST_OPTIONAL}"
        )
    if counts["unions"] > MOST_UNIONS:
        raise bad(f"Schemas contains too many parameters with union types ({counts['unions']})")


def check_strict(schema: Any, where: str, root: dict[str, Any], counts: dict[str, int]) -> None:
    """Refuse what the grammar of a strict schema can't hold."""
    if not isinstance(schema, dict):
        raise bad(f"{where}: a schema must be an object")
    for key in schema:
        if key not in _STRICT_KEYS:
            kind = schema.get("type", "")
            raise bad(f"{where}: For '{kind}' type, property '{key}' is not supported")
    kind = schema.get("type")
    if isinstance(kind, list) or "anyOf" in schema:
        counts["unions"] += 1
    for one in kind if isinstance(kind, list) else [kind]:
        if one is not None and one not in _TYPES:
            raise bad(f"{where}: unknown type {one!r}")
    if kind is None and not {"enum", "const", "anyOf", "allOf", "$ref"} & set(schema):
        raise bad(f"{where}: a schema needs a type")
    if kind == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            raise bad(f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false")
        named = schema.get("properties", {})
        wanted = schema.get("required", [])
        if set(wanted) - set(named):
            raise bad(f"{where}: required names a property that is not there")
        counts["optional"] += len(set(named) - set(wanted))
        for name, part in named.items():
            check_strict(part, f"{where}.{name}", root, counts)
    if kind == "array":
        if schema.get("minItems", 0) not in (0, 1):
            raise bad(f"{where}: For 'array' type, 'minItems' values other than 0 or 1 are not supported")
        check_strict(schema.get("items"), f"{where}.items", root, counts)
    if any(isinstance(value, (dict, list)) for value in schema.get("enum", [])):
        raise bad(f"{where}: enum holds something that is no plain value")
    if schema.get("format") not in (None, *_FORMATS):
        raise bad(f"{where}: format {schema['format']!r} is not supported")
    if re.search(r"\(\?[=!<]|\\[bB1-9]", schema.get("pattern", "")):
        raise bad(f"{where}: pattern uses lookaround, word boundaries or backreferences")
    if not str(schema.get("$ref", "#")).startswith("#"):
        raise bad(f"{where}: external $ref is not supported")
    if schema.get("$ref") == "#":
        raise bad(f"{where}: Recursive schemas are not supported")
    for part in (*schema.get("anyOf", []), *schema.get("allOf", [])):
        check_strict(part, where, root, counts)
    for name, part in {**schema.get("$defs", {}), **schema.get("definitions", {})}.items():
        if f"/{name}'" in repr(part) or f'/{name}"' in repr(part):
            raise bad(f"{where}: Recursive schemas are not supported")
        check_strict(part, f"{where}.{name}", root, counts)


def check_choice(
    choice: Any, tools: dict[str, dict[str, Any]], model: str, rules: Rules, thinking: bool
) -> None:
    """Refuse a choice that goes with neither the tools nor the model."""
    kind = mapping(choice, "tool_choice").get("type")
    if kind not in ("auto", "any", "tool", "none"):
        raise bad("tool_choice: Input tag should be one of 'auto', 'any', 'tool', 'none'")
    allowed = {
        "none": ("type",),
        "tool": ("type", "name", "disable_parallel_tool_use"),
    }.get(kind, ("type", "disable_parallel_tool_use"))
    known(choice, allowed, f"tool_choice.{kind}.")
    if not tools:
        raise bad("tool_choice: tool_choice may only be specified while providing tools")
    if kind not in ("any", "tool"):
        return
    needed(choice, ("name",) if kind == "tool" else (), "tool_choice.tool.")
    if kind == "tool" and choice["name"] not in tools:
        raise bad(f"tool_choice: Tool '{choice['name']}' not found in provided tools")
    if not rules.forced_tools:
        raise bad(f"tool_choice: forced tool use is not supported on {model}")
    if thinking:
        raise bad("Thinking may not be enabled when tool_choice forces tool use.")
