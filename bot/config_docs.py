"""What people and editors read about the configuration, rendered from the model in `bot.config`."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import BaseModel

from bot.config import Config, ConfigFile

_HEAD = """\
# Nocturne's configuration. Every key is optional: what stands here are the defaults.
# Take the `#` away from what you change, and from the sections above it.
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


def commented_example() -> str:
    """Return a file with every key at its default, commented out and explained."""
    lines = [_HEAD, *_section(Config, 0)]
    lines += [
        "# # Several campaigns: a name, then the keys that differ from those above.",
        "# campaigns:",
        "#   optimizer: {program: programs/optimizer.md}",
        "#   architecture: {program: programs/architecture.md}",
    ]
    return "\n".join(lines) + "\n"


def _section(model: type[BaseModel], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, about in model.model_fields.items():
        inner = about.annotation
        text = " ".join((about.description or "").split())
        yield from (f"# {indent}# {line}" for line in textwrap.wrap(text, 96 - len(indent)))
        yield f"# {indent}{name}:" if _is_model(inner) else f"# {indent}{name}: {_literal(about.default)}"
        if _is_model(inner):
            assert isinstance(inner, type)
            yield from _section(inner, depth + 1)
        if depth == 0:
            yield ""


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _literal(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()


if __name__ == "__main__":
    print(schema_text(), end="")
