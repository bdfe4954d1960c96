"""What the cache writes and reads, to the token."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from tests.messages.cache import LOOK_BACK
from tests.messages.server import Api

if TYPE_CHECKING:
    import anthropic

pytestmark = pytest.mark.doubles

MODEL = "claude-opus-5-5"
LEAST = 512


def block(name: str, tokens: int, ttl: str | None = None) -> dict[str, Any]:
    """A text of so many tokens, with a breakpoint where `ttl` is given."""
    made: dict[str, Any] = {"type": "text", "text": (name + "-" * 4 * tokens)[: 4 * tokens]}
    return made | ({"cache_control": {"type": "ephemeral", "ttl": ttl}} if ttl else {})


def ask(
    client: anthropic.Anthropic, *system: dict[str, Any], say: Any = "go!!", **more: Any
) -> tuple[int, ...]:
    """Return fresh, read, written for five minutes and for an hour."""
    request: dict[str, Any] = {
        "model": MODEL,
        "max_tokens": 50,
        "system": list(system),
        "messages": [{"role": "user", "content": say}],
    } | more
    usage = client.messages.create(**request).usage
    assert usage.cache_creation is not None
    return (
        usage.input_tokens,
        usage.cache_read_input_tokens or 0,
        usage.cache_creation.ephemeral_5m_input_tokens,
        usage.cache_creation.ephemeral_1h_input_tokens,
    )


def test_written_once_then_read_until_it_is_forgotten(api: Api, client: anthropic.Anthropic) -> None:
    prompt = block("a", 1000, "5m")
    assert ask(client, prompt) == (1, 0, 1000, 0)
    assert ask(client, prompt) == (1, 1000, 0, 0)
    api.clock.advance(299)
    assert ask(client, prompt) == (1, 1000, 0, 0), "reading keeps it"
    api.clock.advance(299)
    assert ask(client, prompt) == (1, 1000, 0, 0)
    api.clock.advance(301)
    assert ask(client, prompt) == (1, 0, 1000, 0)


def test_an_hour_lasts_an_hour(api: Api, client: anthropic.Anthropic) -> None:
    prompt = block("a", 1000, "1h")
    assert ask(client, prompt) == (1, 0, 0, 1000)
    api.clock.advance(3500)
    assert ask(client, prompt) == (1, 1000, 0, 0)
    api.clock.advance(3601)
    assert ask(client, prompt) == (1, 0, 0, 1000)


def test_short_prefixes_are_silently_not_cached(api: Api, client: anthropic.Anthropic) -> None:
    for _ in range(2):
        assert ask(client, block("a", LEAST - 1, "5m")) == (LEAST, 0, 0, 0)
    assert ask(client, block("b", LEAST, "5m")) == (1, 0, LEAST, 0)
    for _ in range(2):
        assert ask(client, block("a", LEAST, "5m"), model="claude-haiku-4-5")[1:] == (0, 0, 0)


def test_the_first_byte_that_differs_ends_what_is_read(client: anthropic.Anthropic) -> None:
    first, second = block("a", 600, "1h"), block("b", 700, "5m")
    assert ask(client, first, second) == (1, 0, 700, 600)
    assert ask(client, first, block("c", 700, "5m")) == (1, 600, 700, 0)
    assert ask(client, block("x", 600, "1h"), second) == (1, 0, 700, 600)
    assert ask(client, first, second) == (1, 1300, 0, 0)
    assert ask(client, first, second, model="claude-opus-5")[1] == 0, "each model has its own"


def test_tools_come_first_and_settings_only_touch_the_messages(client: anthropic.Anthropic) -> None:
    tool = {"name": "look", "description": "d" * 4000, "input_schema": {"type": "object"}}
    system = block("a", 600, "5m")
    written = ask(client, system, tools=[tool])[2]
    assert written > 1600
    assert ask(client, system, tools=[tool])[1] == written
    assert ask(client, system, tools=[tool], tool_choice={"type": "none"})[1] == written
    assert ask(client, system, tools=[tool | {"description": "e" * 4000}])[1] == 0


def test_a_breakpoint_at_the_end_follows_the_conversation(api: Api, client: anthropic.Anthropic) -> None:
    messages: list[Any] = [{"role": "user", "content": [block("q", 800)]}]
    seen = []
    for turn in range(4):
        reply = client.messages.create(
            model=MODEL, max_tokens=50, messages=messages, cache_control={"type": "ephemeral"}
        )
        seen.append((reply.usage.cache_read_input_tokens, reply.usage.input_tokens))
        messages += [
            {"role": "assistant", "content": [part.to_dict() for part in reply.content]},
            {"role": "user", "content": [block(f"q{turn}", 100)]},
        ]
    used = [call.used for call in api.made]
    assert seen[0] == (0, 0)
    for before, after in itertools.pairwise(used):
        assert before is not None and after is not None
        assert after.read == before.prompt and after.fresh == 0


def test_it_looks_back_twenty_blocks_and_no_further(client: anthropic.Anthropic) -> None:
    start = [block("a", 600, "5m")]
    assert ask(client, say=start) == (0, 0, 600, 0)
    near = [block("a", 600), *[block(f"b{i}", 1) for i in range(LOOK_BACK - 2)], block("z", 1, "5m")]
    assert ask(client, say=near)[1] == 600
    far = [block("a", 600), *[block(f"c{i}", 1) for i in range(LOOK_BACK - 1)], block("z", 1, "5m")]
    assert ask(client, say=far)[1] == 0
