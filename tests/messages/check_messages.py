"""Roles, blocks, and the pairing of tool calls with their results."""

from __future__ import annotations

import re
from typing import Any

from tests.messages.models import Rules
from tests.messages.refusal import bad, items, known, mapping, needed, string

MOST_MESSAGES = 100_000
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_KEYS = {
    "text": ("type", "text", "cache_control", "citations"),
    "tool_use": ("type", "id", "name", "input", "cache_control", "caller", "toolset_name"),
    "tool_result": ("type", "tool_use_id", "content", "is_error", "cache_control", "toolset_name"),
    "thinking": ("type", "thinking", "signature"),
    "redacted_thinking": ("type", "data"),
}
_NEEDED = {
    "text": ("text",),
    "tool_use": ("id", "name", "input"),
    "tool_result": ("tool_use_id",),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
}
_BLOCKS = {
    "user": ("text", "tool_result"),
    "assistant": ("text", "tool_use", "thinking", "redacted_thinking"),
}

Turn = dict[str, Any]


def check_system(system: Any) -> list[dict[str, Any]]:
    """Return the system prompt as blocks."""
    if isinstance(system, str):
        return [{"type": "text", "text": system}] if system else []
    blocks = items(system, "system")
    for number, block in enumerate(blocks):
        _check_block(block, ("text",), f"system.{number}")
        if not block["text"].strip():
            raise bad("system: text content blocks must be non-empty")
    return blocks


def check_messages(messages: Any, rules: Rules, tools: dict[str, Any]) -> list[Turn]:
    """Return the turns: one after the other, the words of one role in a row put together."""
    given = items(messages, "messages")
    if not given:
        raise bad("messages: at least one message is required")
    if len(given) > MOST_MESSAGES:
        raise bad(f"messages: at most {MOST_MESSAGES} messages are allowed")
    turns: list[Turn] = []
    for number, message in enumerate(given):
        where = f"messages.{number}"
        known(mapping(message, where), ("role", "content"), f"{where}.")
        needed(message, ("role", "content"), f"{where}.")
        role = message["role"]
        if role not in _BLOCKS:
            raise bad(f'messages: Unexpected role "{role}". The Messages API accepts a top-level `system`')
        blocks = _content(message["content"], role, where, last=number == len(given) - 1)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] = [*turns[-1]["content"], *blocks]
        else:
            turns.append({"role": role, "content": blocks})
    if turns[0]["role"] != "user":
        raise bad('messages: first message must use the "user" role')
    _check_end(turns[-1], rules)
    _check_pairs(turns)
    if not tools and any(
        block["type"] in ("tool_use", "tool_result") for t in turns for block in t["content"]
    ):
        raise bad("Requests which include `tool_use` or `tool_result` blocks must define tools")
    return turns


def _content(content: Any, role: str, where: str, *, last: bool) -> list[dict[str, Any]]:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}] if content else []
    blocks = items(content, f"{where}.content")
    if not blocks and not (last and role == "assistant"):
        raise bad(
            f"{where}: all messages must have non-empty content except for the optional final assistant"
        )
    for number, block in enumerate(blocks):
        _check_block(block, _BLOCKS[role], f"{where}.content.{number}")
    return blocks


def _check_block(block: Any, allowed: tuple[str, ...], where: str) -> None:
    kind = mapping(block, where).get("type")
    if kind not in allowed:
        raise bad(f"{where}: Input tag '{kind}' found using 'type' does not match any of {allowed}")
    known(block, _KEYS[kind], f"{where}.{kind}.")
    needed(block, _NEEDED[kind], f"{where}.{kind}.")
    if kind == "text":
        text = string(block["text"], f"{where}.text.text")
        if not text:
            raise bad("messages: text content blocks must be non-empty")
        if not text.strip():
            raise bad("messages: text content blocks must contain non-whitespace text")
        if block.get("citations"):
            raise bad(f"{where}.text.citations: not allowed in this place")
    elif kind == "tool_use":
        if not _ID.fullmatch(string(block["id"], f"{where}.tool_use.id")):
            raise bad(f"{where}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
        mapping(block["input"], f"{where}.tool_use.input")
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,200}", string(block["name"], f"{where}.tool_use.name")):
            raise bad(f"{where}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,200}}$'")
    elif kind == "tool_result":
        _check_result(block, where)


def _check_result(block: dict[str, Any], where: str) -> None:
    string(block["tool_use_id"], f"{where}.tool_result.tool_use_id")
    if not isinstance(block.get("is_error", False), bool):
        raise bad(f"{where}.tool_result.is_error: Input should be a valid boolean")
    content = block.get("content", "")
    if isinstance(content, str):
        return
    for number, part in enumerate(items(content, f"{where}.tool_result.content")):
        _check_block(part, ("text",), f"{where}.tool_result.content.{number}")


def _check_end(turn: Turn, rules: Rules) -> None:
    if turn["role"] != "assistant":
        return
    if not rules.prefill:
        raise bad(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    if turn["content"] and turn["content"][-1].get("text", "x")[-1:].isspace():
        raise bad("messages: final assistant content cannot end with trailing whitespace")


def _check_pairs(turns: list[Turn]) -> None:
    """Every call is answered in the next message, before anything else in it, once, and nothing else is."""
    waiting: list[str] = []
    seen: set[str] = set()
    for number, turn in enumerate(turns):
        where = f"messages.{number}"
        results = [block["tool_use_id"] for block in turn["content"] if block["type"] == "tool_result"]
        first = [block["tool_use_id"] for block in turn["content"][: len(results)] if "tool_use_id" in block]
        for one in results:
            if one not in waiting:
                raise bad(
                    f"{where}.content: unexpected `tool_use_id` found in `tool_result` blocks: {one}. Each"
                    " `tool_result` block must have a corresponding `tool_use` block in the previous message."
                )
        missing = [one for one in waiting if one not in first]
        if missing:
            raise bad(
                f"{where}: `tool_use` ids were found without `tool_result` blocks immediately after:"
                f" {', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in"
                " the next message."
            )
        if len(set(results)) < len(results):
            raise bad(f"{where}: each `tool_use` must have a single result")
        waiting = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
        if seen & set(waiting) or len(set(waiting)) < len(waiting):
            raise bad(f"{where}: `tool_use` ids must be unique")
        seen |= set(waiting)
    if waiting:
        raise bad(
            "messages: `tool_use` ids were found without `tool_result` blocks immediately after:"
            f" {', '.join(waiting)}"
        )
