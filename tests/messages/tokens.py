"""A simple tokenizer: four bytes of JSON are a token. Deterministic, and monotonic as the real one is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

TOOL_PROMPT = 350  # tokens that tools add besides their definitions


def canonical(value: Any) -> str:
    """Return `value` as JSON that is the same for the same content, without breakpoints."""
    return json.dumps(bare(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def bare(value: Any) -> Any:
    """Return a copy of `value` without `cache_control`."""
    if isinstance(value, Mapping):
        return {name: bare(part) for name, part in value.items() if name != "cache_control"}
    return [bare(part) for part in value] if isinstance(value, list) else value


def of_text(text: str) -> int:
    return -(-len(text.encode(errors="replace")) // 4)


def of_block(block: Mapping[str, Any]) -> int:
    """Return the tokens of a block, a tool or a part of the system prompt."""
    if block.get("type") == "text":
        return of_text(str(block["text"]))
    if block.get("type") == "thinking":
        return of_text(str(block["thinking"])) + 8
    return of_text(canonical(block))
