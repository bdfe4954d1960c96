"""What comes back from a call of Claude, as data: replies, calls of tools, and what a broken stream used."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from bot.agents.claude.prices import TokenUsage
from bot.base.patience import Passing

LONGEST_CALL = 600.0  # seconds of one try, however busily it streams

Block = dict[str, Any]


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model wants run. `input` fits the tool's schema only if that is strict."""

    id: str
    name: str
    input: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What the model said. `content` is to be sent back unchanged; `calls` are whole, or not there.

    `stop_reason` is `end_turn`, `tool_use`, `max_tokens`, `refusal`, or one of the rarer ones.
    """

    content: list[Block]
    text: str
    calls: tuple[ToolCall, ...]
    stop_reason: str
    usage: TokenUsage
    model: str

    @property
    def refused(self) -> bool:
        return self.stop_reason == "refusal"

    @property
    def cut(self) -> bool:
        """Whether the answer ends where the room ended, and not where the model would have."""
        return self.stop_reason in ("max_tokens", "model_context_window_exceeded")

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it to go on with: no text and no call."""
        return not self.calls and not self.text.strip()


class Heard:
    """What came of a stream so far: enough to say what a broken one used."""

    def __init__(self) -> None:
        self._started: TokenUsage | None = None
        self._characters = 0

    def listen(self, stream: Iterable[Any]) -> None:
        began = time.monotonic()
        for event in stream:
            if event.type == "message_start":
                self._started = _usage(event.message.usage)
            elif event.type == "content_block_delta":
                self._characters += sum(len(v) for v in vars(event.delta).values() if isinstance(v, str))
            if time.monotonic() - began > LONGEST_CALL:
                raise Passing(f"no end of the answer within {LONGEST_CALL:.0f} s")

    @property
    def used(self) -> TokenUsage | None:
        """The tokens that the server announced, and those of the text that came; None before it began."""
        if self._started is None:
            return None
        return replace(self._started, output_tokens=max(self._started.output_tokens, self._characters // 4))


def _usage(said: Any) -> TokenUsage:
    return TokenUsage(
        input_tokens=int(said.input_tokens),
        output_tokens=int(said.output_tokens),
        cache_read_tokens=said.cache_read_input_tokens or 0,
        cache_write_tokens=said.cache_creation_input_tokens or 0,
        cache_write_1h_tokens=said.cache_creation.ephemeral_1h_input_tokens if said.cache_creation else 0,
    )


def reply_of(message: Any) -> Reply:
    """Return the message as data. Raises what a malformed message shows as if a part of it is not what it must be."""
    content = [block.to_dict(mode="json", warnings=False) for block in message.content]
    content = [block for block in content if block.get("text") != ""]  # may not be sent back
    calls = []
    for block in content:
        if block["type"] != "tool_use":
            continue
        if not (isinstance(block["input"], dict) and isinstance(block["id"], str) and block["id"]):
            raise ValueError("a tool is called with something that is no object")
        calls.append(ToolCall(block["id"], str(block["name"]), block["input"]))
    return Reply(
        content=content,
        text="\n".join(block["text"] for block in content if block["type"] == "text").strip(),
        # the last call of an answer that was cut may be half of one, which looks like a whole
        calls=tuple(calls) if message.stop_reason == "tool_use" else (),
        stop_reason=str(message.stop_reason),
        usage=_usage(message.usage),
        model=str(message.model),
    )
