"""A conversation: messages are only ever added, every tool call is answered, all of it is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from bot.agents.claude.budget import Budget
from bot.agents.claude.client import Claude, Effort, Lasting
from bot.agents.claude.replies import Block, Reply, ToolCall

_UNANSWERED = "This call was not carried out."


class Listener(Protocol):
    """Whoever writes down what is said; `bot.agents.claude.transcripts.Transcript` is one."""

    def system(self, model: str, blocks: Sequence[Mapping[str, Any]], tools: Sequence[str]) -> None: ...

    def said(self, content: Sequence[Mapping[str, Any]]) -> None: ...

    def answered(self, reply: Reply) -> None: ...


def result(call: ToolCall, text: str, *, failed: bool = False) -> Block:
    """Return the answer to a tool's call, for `Conversation.ask`."""
    block: Block = {"type": "tool_result", "tool_use_id": call.id, "content": text or "(nothing)"}
    return block | ({"is_error": True} if failed else {})


class Conversation:
    """One talk with one model, from its instructions to its end.

    What was said before is never changed: newer models bind their thinking to all that stood before it, and
    the cache reads no further than the first byte that differs. An answer that can't be sent back (refused,
    cut short, empty) is left out, and the next words follow the last ones.
    """

    def __init__(
        self,
        claude: Claude,
        *,
        model: str,
        system: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        budget: Budget,
        max_tokens: int,
        effort: Effort | None = None,
        listener: Listener | None = None,
        cache_tail: Lasting | None = "5m",
    ) -> None:
        self.messages: list[dict[str, Any]] = []
        self.budget = budget
        self._claude = claude
        self._model = model
        self._system = list(system)
        self._tools = list(tools)
        self._max_tokens = max_tokens
        self._effort = effort
        self._listener = listener
        self._cache_tail: Lasting | None = cache_tail
        self._open: tuple[ToolCall, ...] = ()
        if listener is not None:
            listener.system(model, self._system, [str(tool["name"]) for tool in self._tools])

    def ask(self, text: str = "", results: Sequence[Block] = (), before: Sequence[Block] = ()) -> Reply:
        """Say `text` and the `results` of the last reply's calls, and return what comes back.

        Blocks that stand `before` the text may carry cache breakpoints of their own.

        Calls without a result are answered as not carried out, results that nobody asked for are left out:
        the interface refuses both. Raises what `Claude.converse` raises.
        """
        given = {str(block["tool_use_id"]): block for block in results}
        content: list[Block] = [
            given.get(call.id, result(call, _UNANSWERED, failed=True)) for call in self._open
        ]
        content += before
        if text.strip():
            content.append({"type": "text", "text": text})
        if not content:
            raise ValueError("nothing to say")
        self.messages.append({"role": "user", "content": content})
        self._open = ()
        if self._listener is not None:
            self._listener.said(content)
        reply = self._claude.converse(
            model=self._model,
            system=self._system,
            messages=self.messages,
            tools=self._tools,
            max_tokens=self._max_tokens,
            budget=self.budget,
            effort=self._effort,
            cache_tail=self._cache_tail,
        )
        if self._listener is not None:
            self._listener.answered(reply)
        if not (reply.refused or reply.cut or not reply.content):
            self.messages.append({"role": "assistant", "content": reply.content})
            self._open = reply.calls
        return reply
