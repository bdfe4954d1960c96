"""A conversation until its tools have a result: rounds and mistakes are bounded, each has its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.agents.claude.conversation import Conversation, result
from bot.agents.claude.failures import NoAnswer
from bot.agents.claude.replies import Block, Reply, ToolCall
from bot.agents.claude.tools import Answer, Tool, mistake
from bot.base.text import one_line


class GaveUp(NoAnswer):
    """The model answered, but never with something that can be used."""


@dataclass(frozen=True)
class Patience:
    """Bounds of one conversation: calls of the model, answers that are none (a cut one, which is dear, counts
    twice), hand-ins that come back."""

    rounds: int = 14
    mistakes: int = 4
    returned: int = 5


class ToolLoop:
    """Asks until a tool has a result. What is wrong with an answer is said back, exactly, until patience ends."""

    def __init__(
        self, conversation: Conversation, tools: Sequence[Tool], final: str, patience: Patience,
        redact: Callable[[str], str],
    ) -> None:  # fmt: skip
        self._conversation = conversation
        self._tools = {tool.name: tool for tool in tools}
        self._final = final
        self._patience = patience
        self._redact = redact
        self._mistakes = 0
        self._returned = 0
        self._why = ""

    def until_result(self, text: str, before: Sequence[Block] = ()) -> Any:
        """Return the result of the tool `final`. Raises GaveUp, and whatever `Conversation.ask` raises."""
        results: list[Block] = []
        for left in range(self._patience.rounds - 1, -1, -1):
            reply = self._conversation.ask(text, results, before)
            before = ()
            if reply.refused:
                raise GaveUp("it refused to answer")
            found, results, text = self._take(reply)
            if found is not None:
                return found
            if self._mistakes > self._patience.mistakes or self._returned > self._patience.returned:
                break
            if left <= 2:
                text = f"{text}\n\nOnly {left} more answers are possible: call `{self._final}` now.".strip()
        else:
            self._why = (
                self._why or f"it looked things up {self._patience.rounds} times and handed nothing in"
            )
        raise GaveUp(self._why)

    def _take(self, reply: Reply) -> tuple[Any, list[Block], str]:
        """Return the result if there is one, else what is to be said back: tool results, and words."""
        if reply.cut:
            return (
                None,
                [],
                self._mistaken("its answer was longer than the room it has", "Be much briefer. ", weight=2),
            )
        if not reply.calls:
            if reply.stop_reason == "pause_turn":
                return None, [], "Go on."
            said = "it answered in plain text" if reply.text else "its answer was empty"
            return None, [], self._mistaken(said)
        results: list[Block] = []
        for call in reply.calls:
            answer = self._answer(call)
            if answer.result is not None:
                return answer.result, [], ""
            results.append(result(call, self._redact(answer.text), failed=answer.is_error))
        return None, results, ""

    def _answer(self, call: ToolCall) -> Answer:
        tool = self._tools.get(call.name)
        if tool is None:
            known = ", ".join(self._tools)
            self._note(f"it called a tool that is not there ({one_line(call.name, 40)!r})")
            return Answer(f"There is no tool of that name; there are: {known}.", is_error=True)
        wrong = mistake(tool.schema, call.input)
        if wrong is not None:
            self._note(f"its call of {tool.name} was malformed ({wrong})")
            return Answer(f"The input does not fit the schema: {wrong}.", is_error=True)
        answer = tool.answer(call.input)
        if answer.returned:
            self._returned += 1
            self._why = (
                f"what it handed in came back {self._returned} times, at last: {one_line(answer.text, 160)}"
            )
        return answer

    def _mistaken(self, what: str, advice: str = "", *, weight: int = 1) -> str:
        self._note(what, weight)
        return f"{advice}Answer by the tools only; `{self._final}` ends this conversation."

    def _note(self, what: str, weight: int = 1) -> None:
        self._mistakes += weight
        self._why = what
