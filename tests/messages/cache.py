"""The prompt cache: what of a request was sent before, up to which breakpoint, and how long it is kept.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching. A prefix is tools, then the system prompt,
then the messages, block by block; an entry is written at each breakpoint and read where the whole prefix is
the same, looking back at most 20 blocks from a breakpoint.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from tests.messages.models import Rules
from tests.messages.refusal import bad, known, mapping
from tests.messages.tokens import TOOL_PROMPT, canonical, of_block

MOST_BREAKPOINTS = 4
LOOK_BACK = 20
SECONDS = {"5m": 300.0, "1h": 3600.0}
_CACHEABLE = ("text", "tool_use", "tool_result")


class Clock:
    """The server's time, in seconds; it stands still until somebody moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True)
class Step:
    """A block of the prompt: the prefix up to its end, that prefix's tokens, and its breakpoint's lifetime."""

    prefix: str
    tokens: int
    ttl: str | None


@dataclass(frozen=True)
class Used:
    """How a prompt was billed, in tokens."""

    fresh: int
    read: int
    written_5m: int
    written_1h: int

    @property
    def written(self) -> int:
        return self.written_5m + self.written_1h

    @property
    def prompt(self) -> int:
        return self.fresh + self.read + self.written


def steps(request: dict[str, Any], system: list[dict[str, Any]], turns: list[dict[str, Any]]) -> list[Step]:
    """Return the prompt block by block. Refuses breakpoints that are too many, misplaced or out of order."""
    tools = request.get("tools", [])
    blocks: list[tuple[str, dict[str, Any]]] = [("tool", tool) for tool in tools]
    blocks += [("system", block) for block in system]
    settings = canonical([request.get(key) for key in ("tool_choice", "thinking", "output_config")])
    blocks += [(f"{settings}{turn['role']}", block) for turn in turns for block in turn["content"]]
    lifetimes = [_lifetime(block.get("cache_control"), "cache_control") for _, block in blocks]
    _mark_last(request, blocks, lifetimes)
    marked = [ttl for ttl in lifetimes if ttl is not None]
    if len(marked) > MOST_BREAKPOINTS:
        raise bad(f"A maximum of 4 blocks with cache_control may be provided. Found {len(marked)}.")
    if "1h" in marked[marked.index("5m") :] if "5m" in marked else False:
        raise bad(
            "messages: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"
        )
    found = []
    prefix, tokens = str(request["model"]), TOOL_PROMPT if tools else 0
    for (place, block), ttl in zip(blocks, lifetimes, strict=True):
        prefix = hashlib.sha256(f"{prefix}\n{place}\n{canonical(block)}".encode(errors="replace")).hexdigest()
        tokens += of_block(block)
        found.append(Step(prefix, tokens, ttl))
    return found


def _mark_last(
    request: dict[str, Any], blocks: list[tuple[str, dict[str, Any]]], lifetimes: list[str | None]
) -> None:
    """Set the breakpoint that a `cache_control` of the request itself asks for."""
    wanted = _lifetime(request.get("cache_control"), "cache_control")
    if wanted is None:
        return
    last = max(
        (i for i, (place, b) in enumerate(blocks) if place in ("tool", "system") or b["type"] in _CACHEABLE)
    )
    if lifetimes[last] not in (None, wanted):
        raise bad("cache_control: the last block has another ttl of its own")
    lifetimes[last] = wanted


def _lifetime(control: Any, where: str) -> str | None:
    if control is None:
        return None
    known(mapping(control, where), ("type", "ttl"), f"{where}.ephemeral.")
    if control.get("type") != "ephemeral":
        raise bad(f"{where}: Input tag should be 'ephemeral'")
    ttl = control.get("ttl", "5m")
    if ttl not in SECONDS:
        raise bad(f"{where}.ephemeral.ttl: Input should be '5m' or '1h'")
    return str(ttl)


class Cache:
    """The entries of one account."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, tuple[float, str]] = {}

    def use(self, prompt: list[Step], rules: Rules) -> Used:
        """Read what is there, write what is to be kept, and return how the prompt is billed."""
        total = prompt[-1].tokens
        marks = [i for i, step in enumerate(prompt) if step.ttl and step.tokens >= rules.least_cached]
        read = 0
        for mark in reversed(marks):
            for place in range(mark, max(-1, mark - LOOK_BACK), -1):
                if self._lives(prompt[place].prefix):
                    read = max(read, prompt[place].tokens)
                    break
        hour = five = 0
        done = read
        for mark in marks:
            step = prompt[mark]
            assert step.ttl is not None
            if step.tokens > done:
                if step.ttl == "1h":
                    hour += step.tokens - done
                else:
                    five += step.tokens - done
                done = step.tokens
            kept = (
                self._entries.get(step.prefix, (0.0, step.ttl))[1] if self._lives(step.prefix) else step.ttl
            )
            self._entries[step.prefix] = (self._clock.now + SECONDS[kept], kept)
        return Used(total - done, read, five, hour)

    def _lives(self, prefix: str) -> bool:
        return self._entries.get(prefix, (-1.0, ""))[0] > self._clock.now
