"""Expressions of workflow files, as far as ours use them: contexts, texts, `||`.

https://docs.github.com/actions/reference/workflows-and-actions/expressions
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_PLACE = re.compile(r"[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*")


def filled(text: str, contexts: Mapping[str, Any]) -> str:
    """Return `text` with what its `${{ }}` come to; raise ValueError for more than this understands."""
    return _EXPRESSION.sub(lambda found: _as_text(_value(found[1], contexts)), text)


def _value(expression: str, contexts: Mapping[str, Any]) -> Any:
    value: Any = None
    for part in expression.split("||"):
        value = _operand(part.strip(), contexts)
        if value not in (None, "", False, 0):
            return value
    return value


def _operand(part: str, contexts: Mapping[str, Any]) -> Any:
    if len(part) > 1 and part[0] == part[-1] == "'":
        return part[1:-1].replace("''", "'")
    if _PLACE.fullmatch(part) is None:
        raise ValueError(f"not understood here: {part}")
    value: Any = contexts
    for name in part.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
