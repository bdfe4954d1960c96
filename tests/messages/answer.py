"""From what a mind says to the message that goes out: thinking, signatures, limits, usage."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

import jsonschema

from tests.messages.cache import Used
from tests.messages.check_request import Prompt
from tests.messages.minds import Answer, Block
from tests.messages.thinking import sign
from tests.messages.tokens import of_block, of_text

_ids = itertools.count(1)


@dataclass(frozen=True)
class Message:
    """A message as it goes out. `half` is the JSON of a last tool call that was cut within it."""

    body: dict[str, Any]
    half: str | None = None


def message(answer: Answer, prompt: Prompt, used: Used) -> Message:
    """Return the message that `answer` becomes. Raises `AssertionError` where a real model can't say it."""
    content = [*_thought(answer, prompt), *map(_named, answer.content)]
    if not answer.wild:
        _check(answer, prompt)
    reason, sequence = answer.stop_reason or _reason(content), None
    content, sequence = _stopped(content, prompt)
    if sequence is not None:
        reason = "stop_sequence"
    most = prompt.request["max_tokens"]
    room = prompt.rules.context - prompt.tokens
    half = None
    if sum(map(_written, content)) > min(most, room):
        content, half = _cut(content, min(most, room))
        reason = "max_tokens" if most <= room else "model_context_window_exceeded"
    usage = {
        "input_tokens": used.fresh,
        "cache_creation_input_tokens": used.written,
        "cache_read_input_tokens": used.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": used.written_5m,
            "ephemeral_1h_input_tokens": used.written_1h,
        },
        "output_tokens": max(1, sum(map(_written, content)) + (of_text(half) if half else 0)),
        "service_tier": "standard",
    }
    body = {
        "id": f"msg_{next(_ids):024d}",
        "type": "message",
        "role": "assistant",
        "model": prompt.request["model"],
        "content": content,
        "stop_reason": reason,
        "stop_sequence": sequence,
        "stop_details": dict(answer.stop_details) if answer.stop_details else None,
        "usage": usage,
    }
    return Message(body, half)


def _thought(answer: Answer, prompt: Prompt) -> list[Block]:
    if not (prompt.thinking and answer.thought):
        return []
    shown = (prompt.request.get("thinking") or {}).get(
        "display", "omitted" if prompt.rules.bound else "summarized"
    )
    text = answer.thought if shown == "summarized" else ""
    signature = sign(prompt.request["model"], text, prompt.before)
    return [{"type": "thinking", "thinking": text, "signature": signature}]


def _named(block: Block) -> Block:
    """Return a copy, a call with an id of its own."""
    return {"id": f"toolu_{next(_ids):024d}", **block} if block["type"] == "tool_use" else dict(block)


def _check(answer: Answer, prompt: Prompt) -> None:
    for block in answer.content:
        if block["type"] != "tool_use":
            continue
        assert block["name"] in prompt.tools, f"no request offers the tool {block['name']}"
        tool = prompt.tools[block["name"]]
        if tool.get("strict"):
            jsonschema.validate(block["input"], tool["input_schema"])
    choice = prompt.request.get("tool_choice", {})
    calls = [block["name"] for block in answer.content if block["type"] == "tool_use"]
    if choice.get("type") == "none":
        assert not calls, "no tool may be called"
    if choice.get("disable_parallel_tool_use"):
        assert len(calls) <= 1, "one tool at a time"


def _reason(content: list[Block]) -> str:
    return "tool_use" if any(block["type"] == "tool_use" for block in content) else "end_turn"


def _stopped(content: list[Block], prompt: Prompt) -> tuple[list[Block], str | None]:
    """Return the content up to the first stop sequence in its text, and that sequence."""
    for number, block in enumerate(content):
        for stop in prompt.request.get("stop_sequences", []):
            if block["type"] == "text" and stop in block["text"]:
                cut = {**block, "text": block["text"].partition(stop)[0]}
                return [*content[:number], cut], stop
    return content, None


def _written(block: Block) -> int:
    if block["type"] == "tool_use":
        return of_text(json.dumps(block["input"])) + 12
    return of_block(block)


def _cut(content: list[Block], room: int) -> tuple[list[Block], str | None]:
    """Return as much of the content as there is room for, and the rest of a tool's input that was begun."""
    kept: list[Block] = []
    for block in content:
        if _written(block) <= room:
            kept.append(block)
            room -= _written(block)
            continue
        if block["type"] == "text" and room > 0:
            kept.append({**block, "text": block["text"][: room * 4]})
        elif block["type"] == "tool_use" and room > 12:
            return [*kept, {**block, "input": {}}], json.dumps(block["input"])[: (room - 12) * 4]
        break
    return kept, None
