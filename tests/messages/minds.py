"""What a model says, on a script: answers, failures, and minds that choose among them.

A mind is any function of the request and of how many requests it was asked before; it returns an `Answer`, a
`Fault`, or a plain string for an answer in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Block = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """Blocks that the model answers with; what is left out follows from them, as it would (ids of calls too).

    `thought` stands before them where the model thinks. An answer longer than the request's `max_tokens` is
    cut there. The server holds what the real one does: a strict tool's input fits its schema, and only tools
    of the request are called. `wild` lets an answer break that.
    """

    content: tuple[Block, ...] = ()
    stop_reason: str | None = None
    stop_details: Mapping[str, Any] | None = None
    thought: str = "Let me think about what was asked."
    wild: bool = False


@dataclass(frozen=True)
class Fault:
    """How a request fails: before anything is said (`status`, `hang`, `reset`), or while `answer` is.

    - `status`: an error of that status, with `retry_after` seconds where given;
    - `hang`: silence, until the client goes away;
    - `reset`: the connection breaks;
    - `page`: a page of HTML that says 200, as from something that stands between;
    - `silence`, `drop`, `error`, `garbage`, `tool_json`, `unfinished`: within a stream: silence, a broken
      connection, an error event, a line that is no JSON, a tool's input that is none, a stream that ends
      before its message does.
    """

    kind: str
    status: int = 0
    retry_after: float | None = None
    message: str = "on purpose"
    error_type: str = "overloaded_error"
    error_code: str | None = None
    answer: Answer | None = None


Said = Answer | Fault | str
Mind = Callable[[dict[str, Any], int], Said]


def words(text: str) -> Answer:
    return Answer(({"type": "text", "text": text},))


def use(name: str, given: Any, *, saying: str = "", wild: bool = False) -> Answer:
    """Return a call of one tool."""
    return uses((name, given), saying=saying, wild=wild)


def uses(*calls: tuple[str, Any], saying: str = "", wild: bool = False) -> Answer:
    """Return calls of several tools at once."""
    blocks = [{"type": "text", "text": saying}] if saying else []
    blocks += [{"type": "tool_use", "name": name, "input": given} for name, given in calls]
    return Answer(tuple(blocks), wild=wild)


def nothing() -> Answer:
    """An answer without a block, which real models give now and then."""
    return Answer(thought="")


def refusal(category: str = "cyber", said: str = "") -> Answer:
    blocks = ({"type": "text", "text": said},) if said else ()
    details = {"type": "refusal", "category": category, "explanation": "This request was declined."}
    return Answer(blocks, "refusal", details, thought="")


def status(code: int, *, retry_after: float | None = None, message: str = "on purpose") -> Fault:
    return Fault("status", code, retry_after, message)


def within(kind: str, answer: Answer | None = None) -> Fault:
    """Return a failure in the midst of a stream."""
    return Fault(kind, answer=answer or words("A sentence that is long enough to break off somewhere. " * 8))


def script(*said: Said) -> Mind:
    """Return a mind that says these one after the other, and the last one from then on."""
    return lambda request, number: said[min(number, len(said) - 1)]


def by_model(minds: Mapping[str, Mind]) -> Mind:
    """Return a mind that has another one for each model, each with a count of its own."""
    return _Several(dict(minds), lambda request: str(request["model"]))


@dataclass
class _Several:
    minds: Mapping[str, Mind]
    which: Callable[[dict[str, Any]], str]
    asked: dict[str, int] = field(default_factory=dict)

    def __call__(self, request: dict[str, Any], number: int) -> Said:
        name = self.which(request)
        count = self.asked.get(name, 0)
        self.asked[name] = count + 1
        return self.minds[name](request, count)
