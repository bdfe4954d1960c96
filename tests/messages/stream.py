"""A message as server-sent events, in the order of the real interface.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.messages.answer import Message

_PIECE = 40  # characters of one delta


def event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def events(message: Message, *, broken_json: bool = False) -> Iterator[bytes]:
    """Yield the stream's events, pings among them. `broken_json` spoils the input of the tools."""
    body = message.body
    usage = body["usage"]
    start = {**body, "content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    yield event("message_start", {"message": {**start, "usage": {**usage, "output_tokens": 1}}})
    yield event("ping", {})
    for index, block in enumerate(body["content"]):
        last = index == len(body["content"]) - 1
        yield event("content_block_start", {"index": index, "content_block": _empty(block)})
        for delta in _deltas(block, message.half if last else None, broken_json):
            yield event("content_block_delta", {"index": index, "delta": delta})
        yield event("content_block_stop", {"index": index})
    told = {key: body[key] for key in ("stop_reason", "stop_sequence", "stop_details")}
    counted = {
        key: usage[key]
        for key in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    }
    yield event("message_delta", {"delta": told, "usage": counted})
    yield event("message_stop", {})


def _empty(block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] == "tool_use":
        return {**block, "input": {}}
    if block["type"] == "thinking":
        return {"type": "thinking", "thinking": "", "signature": ""}
    return {**block, "text": ""}


def _deltas(block: dict[str, Any], half: str | None, broken_json: bool) -> Iterator[dict[str, Any]]:
    if block["type"] == "tool_use":
        text = json.dumps(block["input"]) if half is None else half
        if broken_json:
            text = '{"a": [1, }' + text
        yield {"type": "input_json_delta", "partial_json": ""}
        yield from ({"type": "input_json_delta", "partial_json": piece} for piece in _pieces(text))
    elif block["type"] == "thinking":
        yield from ({"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"]))
        yield {"type": "signature_delta", "signature": block["signature"]}
    else:
        yield from ({"type": "text_delta", "text": piece} for piece in _pieces(block["text"]))


def _pieces(text: str) -> Iterator[str]:
    for begin in range(0, len(text), _PIECE):
        yield text[begin : begin + _PIECE]
