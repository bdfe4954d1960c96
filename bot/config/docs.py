"""What people and editors read about the configuration, rendered from the model in `bot.config`."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from bot.config import Config, ConfigFile

_HEAD = """\
# Nocturne's configuration. Every key is optional: what stands here are the defaults.
# Take the `#` away from what you change, and from the sections above it.
"""
_REFERENCE = """\
# Configuration

Nocturne reads `.github/nocturne.yml` on the branch that the campaign starts from. Every key is optional, and an empty
file will do; `nocturne init` writes one with every key commented out and explained. A key that is unknown, or a value
that is out of range, ends each command in one line that names the key and the fix, with exit code 2. Editors check
the file by [the JSON Schema](../.github/nocturne.schema.json).

Several campaigns in one repository share the file; each overrides what differs, and `--campaign NAME` chooses one:

```yaml
editable: [train.py]
campaigns:
  optimizer: {program: programs/optimizer.md}
  architecture: {program: programs/architecture.md}
```

`make schema` writes this page, from the same model that reads the file.
"""


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file, for editors."""
    made = ConfigFile.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "Nocturne configuration",
    }


def schema_text() -> str:
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"


def commented_example(given: Mapping[str, Any] | None = None) -> str:
    """Return a file with every key at its default, commented out and explained; those at the top that are `given`
    have that value."""
    lines = [_HEAD, *_section(Config, 0, given or {})]
    lines += [
        "# # Several campaigns: a name, then the keys that differ from those above.",
        "# campaigns:",
        "#   optimizer: {program: programs/optimizer.md}",
        "#   architecture: {program: programs/architecture.md}",
    ]
    return "\n".join(lines) + "\n"


def reference() -> str:
    """Return docs/configuration.md: every key with its default, the values it takes and what it means."""
    whole = schema()
    lines = [_REFERENCE]
    for path, section in _sections(whole["$defs"], whole, ""):
        about = section["description"] if path else "Keys of their own; the sections below are keys too."
        lines += [f"## {path or 'At the top'}", "", " ".join(about.split()), ""]
        lines += ["| key | default | takes | what it is |", "| --- | --- | --- | --- |"]
        lines += [_row(name, each) for name, each in section["properties"].items() if "$ref" not in each]
        lines.append("")
    return "\n".join(lines)


def _sections(
    known: dict[str, Any], section: dict[str, Any], path: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, section
    for name, about in section["properties"].items():
        inner = about.get("$ref") or _values(about).get("$ref")
        if inner is not None:
            deeper = f"{path}.{name}" if path else name
            yield from _sections(known, known[inner.removeprefix("#/$defs/")], deeper)


def _row(name: str, about: dict[str, Any]) -> str:
    default = f"`{_literal(about['default'])}`" if "default" in about else "must be given"
    cells = [f"`{name}`", default, _takes(about), " ".join(about["description"].split())]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _takes(about: dict[str, Any]) -> str:
    """Say which values a key takes, without the null that most of them take too."""
    if "anyOf" in about:
        return " or ".join(_takes(each) for each in about["anyOf"] if each.get("type") != "null")
    if "$comment" in about:
        return str(about["$comment"])
    values = [about["const"]] if "const" in about else about.get("enum")
    if values is not None:
        return ", ".join(f"`{value}`" for value in values)
    if about["type"] == "array":
        return "a list of texts"
    if about["type"] == "object":
        return "a mapping"
    if about["type"] in ("integer", "number"):
        return " ".join(["a whole number" if about["type"] == "integer" else "a number", *_bounds(about)])
    return {"boolean": "`true` or `false`"}.get(about["type"], "a text")


def _bounds(about: dict[str, Any]) -> Iterator[str]:
    said = {
        "minimum": "from {}",
        "exclusiveMinimum": "above {}",
        "maximum": "to {}",
        "exclusiveMaximum": "below {}",
    }
    yield from (
        text.format(about[key] if isinstance(about[key], int) else f"{about[key]:g}")
        for key, text in said.items()
        if key in about
    )


def _values(about: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a mapping's values."""
    inner = about.get("additionalProperties")
    return inner if isinstance(inner, dict) else {}


def _section(model: type[BaseModel], depth: int, given: Mapping[str, Any]) -> Iterator[str]:
    indent = "  " * depth
    for name, about in model.model_fields.items():
        inner = about.annotation
        text = " ".join((about.description or "").split())
        yield from (f"# {indent}# {line}" for line in textwrap.wrap(text, 96 - len(indent)))
        if name in given:
            yield f"{name}: {_literal(given[name])}"
        elif _is_model(inner):
            assert isinstance(inner, type)
            yield f"# {indent}{name}:"
            yield from _section(inner, depth + 1, {})
        else:
            yield f"# {indent}{name}: {_literal(about.default)}"
        if depth == 0:
            yield ""


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _literal(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()


if __name__ == "__main__":
    print(reference() if sys.argv[1:] == ["reference"] else schema_text(), end="")
