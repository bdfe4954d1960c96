"""The door to Claude: one call at a time, streamed, patient, paid from a budget, errors with a fix."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from bot.agents.claude.budget import Budget
from bot.agents.claude.failures import Exhausted, NeedsHuman, NoAnswer, TooLong
from bot.agents.claude.prices import traits
from bot.agents.claude.replies import Heard, Reply, reply_of
from bot.base.patience import OutOfPatience, Passing, Patience, retry_after
from bot.base.text import one_line, web_address
from bot.errors import UserError

if TYPE_CHECKING:  # more than a second, which only a call is worth
    import anthropic

TRIES = 5  # at a call that fails for a passing reason
PAUSE = 2.0  # seconds before the second try; it doubles
LONGEST_WAIT = 300.0  # seconds in sum between the tries of one call
LAST_TRY = 600.0  # seconds after the first one began
SILENCE = 120.0  # seconds without a byte; the server pings more often than that
_OVERHEAD_TOKENS = 2_000  # what the provider adds to a prompt with tools, amply
_LONGEST_WORD = 300  # characters of a provider's message that are shown
_PASSING = frozenset({408, 409, 429})
_PASSING_TYPES = frozenset({"overloaded_error", "api_error", "rate_limit_error", "timeout_error"})

Effort = Literal["low", "medium", "high", "xhigh", "max"]
Lasting = Literal["5m", "1h"]
T = TypeVar("T")
# The SDK takes what comes for what is specified: each of these is how a malformed answer shows.
_MALFORMED = (ValueError, TypeError, LookupError, AttributeError, AssertionError, RuntimeError)


class Claude:
    """Calls of Claude with the credentials of `environ`. Not for use by two threads at once.

    Takes ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN, and ANTHROPIC_BASE_URL. Raises `UserError` if neither
    credential is there, or one of these can't be right. `note` hears of every try that failed.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        sleep: Callable[[float], None] = time.sleep,
        note: Callable[[str], None] = lambda _: None,
        silence: float = SILENCE,
    ) -> None:
        self._key = _header(environ, "ANTHROPIC_API_KEY")
        self._token = _header(environ, "ANTHROPIC_AUTH_TOKEN")
        if self._key is None and self._token is None:
            raise UserError(
                "ANTHROPIC_API_KEY is not set: set it, or let `proposer: offline` and `reviewer: rules` do"
                " without a model"
            )
        self._url = environ.get("ANTHROPIC_BASE_URL") or "https://api.anthropic.com"
        if web_address(self._url) is None:
            raise UserError(f"ANTHROPIC_BASE_URL: {self._url} is no web address: write https://HOST")
        self._sleep = sleep
        self._note = note
        self._silence = silence

    @functools.cached_property
    def _client(self) -> anthropic.Anthropic:
        import anthropic

        return anthropic.Anthropic(
            api_key=self._key,
            auth_token=None if self._key else self._token,
            base_url=self._url,
            max_retries=0,  # the SDK counts no cost and knows no end in time; `_patiently` does
            timeout=anthropic.Timeout(self._silence, connect=10.0),
        )

    def converse(
        self,
        *,
        model: str,
        system: Sequence[Mapping[str, Any]],
        messages: Sequence[Mapping[str, Any]],
        max_tokens: int,
        budget: Budget,
        tools: Sequence[Mapping[str, Any]] = (),
        effort: Effort | None = None,
        cache_tail: Lasting | None = None,
    ) -> Reply:
        """Make one call and return the answer, whatever its stop reason; empty ones too.

        Cache breakpoints stand in `system`, `tools` and `messages` (`cache_control`); `cache_tail` sets one
        more at the end of the messages, of the four that a request may have. There is no forced tool and no
        temperature, which current models refuse; `effort` is left out for models that don't know it.

        Each try is paid from `budget`. Raises `OverBudget` before a call that could break a cap, `Exhausted`
        if patience ends, `TooLong`, and `NeedsHuman` if key, permission or the model's name is wrong.
        """
        room = min(max_tokens, traits(model).max_output)
        prompt: dict[str, Any] = {"model": model, "messages": list(messages)}
        if system:
            prompt["system"] = list(system)
        if tools:
            prompt["tools"] = list(tools)
        if cache_tail is not None:
            prompt["cache_control"] = {"type": "ephemeral", "ttl": cache_tail}
        if effort is not None and traits(model).effort:
            prompt["output_config"] = {"effort": effort}
        prompt = _sendable(prompt)
        most = most_tokens(prompt)

        def attempt() -> Reply:
            budget.allow(model, most, room, lambda: self.count(prompt, budget.role))
            return self._stream(prompt, room, budget)

        return self._patiently(attempt)

    def count(self, prompt: Mapping[str, Any], role: str = "proposer") -> int:
        """Return how many tokens a call with this prompt sends, as the provider counts them; it costs only time."""

        def attempt() -> int:
            import anthropic

            try:
                return self._client.messages.count_tokens(**prompt).input_tokens
            except anthropic.APIStatusError as error:
                raise _sorted(error, str(prompt["model"]), role) from None
            except _broken_off() as error:
                raise Passing(_name(error)) from None
            except _MALFORMED as error:
                raise Passing(f"malformed answer ({type(error).__name__})") from None

        return self._patiently(attempt)

    def _patiently(self, attempt: Callable[[], T]) -> T:
        """Try again if a try failed for a passing reason: so often, so long, and not longer."""
        patience = Patience(
            self._sleep, LONGEST_WAIT, LAST_TRY, note=lambda why: self._note(f"Claude: {why}")
        )
        try:
            return patience.ask(attempt, tries=TRIES, pause=PAUSE)
        except OutOfPatience as over:
            tries = "a single try" if over.tries == 1 else f"{over.tries} tries"
            raise Exhausted(f"no answer after {tries}: {over}") from None

    def _stream(self, prompt: Mapping[str, Any], room: int, budget: Budget) -> Reply:
        """Make one try. What it used is written down, also if the answer broke off."""
        import anthropic

        model = str(prompt["model"])
        heard = Heard()
        call = self._client.messages.stream(**prompt, max_tokens=room)  # sends nothing yet
        try:
            with call as stream:
                heard.listen(stream)
                message = stream.get_final_message()
                if message.stop_reason is None:
                    raise Passing("the stream ended before the answer did")
                reply = reply_of(message)
        except anthropic.APIStatusError as error:
            failure = _sorted(error, model, budget.role)
        except _broken_off() as error:
            failure = Passing(_name(error))
        except Passing as error:
            failure = error
        except _MALFORMED as error:
            failure = Passing(f"malformed answer ({type(error).__name__})")
        else:
            budget.spend(model, reply.usage, reply.stop_reason)
            return reply
        if heard.used is not None:
            budget.spend(model, heard.used, "broken")
        raise failure


def _header(environ: Mapping[str, str], name: str) -> str | None:
    """Return a credential as a header may carry it, None if there is none."""
    value = environ.get(name, "").strip()
    if not (value.isascii() and value.isprintable()):
        raise UserError(f"{name} holds what no key does, such as a line break: copy it again")
    return value or None


def _sendable(prompt: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of `prompt` without half characters, which logs may hold and the interface refuses."""
    copied: dict[str, Any] = json.loads(json.dumps(prompt, ensure_ascii=False).encode(errors="replace"))
    return copied


def most_tokens(prompt: Mapping[str, Any]) -> int:
    """Return more tokens than `prompt` can have: each one stands for a byte or more."""
    return len(json.dumps(prompt, ensure_ascii=False).encode(errors="replace")) + _OVERHEAD_TOKENS


def _broken_off() -> tuple[type[Exception], ...]:
    """What a connection that breaks raises: within a stream the SDK wraps nothing."""
    import anthropic
    import httpx2

    return (anthropic.APIError, httpx2.HTTPError, httpx2.StreamError, OSError)


def _name(error: Exception) -> str:
    return "the connection timed out" if "Timeout" in type(error).__name__ else "the connection broke"


def _sorted(error: anthropic.APIStatusError, model: str, role: str) -> Exception:
    """Return what a refusal means: try again, go on without, or have a human fix it."""
    said = one_line(str(error.api_message or error.message), _LONGEST_WORD)
    status = error.status_code
    if status in _PASSING or status >= 500 or error.type in _PASSING_TYPES:
        return Passing(f"{error.type or status} ({said})", retry_after(error.response.headers))
    if status == 402 or "spend_limit" in (error.error_code or ""):
        return NoAnswer(f"the account can't pay for it: {said}")
    if status == 413 or (status == 400 and "too long" in said.lower()):
        return TooLong(f"the request is too large for {model}: {said}")
    if status == 401:
        return NeedsHuman(f"ANTHROPIC_API_KEY is refused ({said}): put a key that is valid into it")
    if status == 403:
        return NeedsHuman(
            f"ANTHROPIC_API_KEY may not use {model} ({said}): allow it, or choose models.{role}"
        )
    if status == 404:
        return NeedsHuman(f"models.{role}: there is no model {model!r} ({said}): choose one that is served")
    return NeedsHuman(f"Claude refuses the request as it is, for models.{role} {model} ({status}: {said})")
