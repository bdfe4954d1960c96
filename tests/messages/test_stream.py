"""Streams: the order of their events, and the ways in which they break."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.messages import minds
from tests.messages.server import Api
from tests.messages.test_refusals import LOOK, asking

if TYPE_CHECKING:
    import anthropic

pytestmark = pytest.mark.doubles


def parts(client: anthropic.Anthropic, **more: Any) -> list[Any]:
    return list(client.messages.create(**asking(tools=[LOOK]) | more, stream=True))


def test_events_come_in_order_and_hold_the_message(api: Api, client: anthropic.Anthropic) -> None:
    api.mind = minds.script(minds.use("look", {"number": 12}, saying="I will look. " * 9))
    events = parts(client)
    kinds = [event.type for event in events]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    blocks = [k for k in kinds if k.startswith("content_block")]
    tidy = [k for i, k in enumerate(blocks) if i == 0 or k != blocks[i - 1]]
    assert tidy == ["content_block_start", "content_block_delta", "content_block_stop"] * 3
    assert events[0].message.content == [] and events[0].message.stop_reason is None
    assert events[-2].delta.stop_reason == "tool_use" and events[-2].usage.output_tokens > 1
    pieces = [
        e.delta.partial_json
        for e in events
        if e.type == "content_block_delta" and hasattr(e.delta, "partial_json")
    ]
    assert json.loads("".join(pieces)) == {"number": 12}
    whole: dict[str, Any] = client.messages.create(**asking(tools=[LOOK])).to_dict()
    with client.messages.stream(**asking(tools=[LOOK])) as stream:
        streamed: dict[str, Any] = stream.get_final_message().to_dict()
    for message in (whole, streamed):
        assert message.pop("id") and message["content"][-1].pop("id")  # each has its own
    assert streamed == whole


def test_a_cut_call_stays_half(api: Api, client: anthropic.Anthropic) -> None:
    api.mind = minds.script(minds.use("look", {"number": 12345678901234567890}))
    with client.messages.stream(**asking(tools=[LOOK], max_tokens=25)) as stream:
        message = stream.get_final_message()
    assert message.stop_reason == "max_tokens"
    assert message.content[-1].type == "tool_use"
    assert message.content[-1].input != {"number": 12345678901234567890}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (minds.status(429, retry_after=3), "RateLimitError"),
        (minds.status(529), "OverloadedError"),
        (minds.status(500), "InternalServerError"),
        (minds.Fault("reset"), "APIConnectionError"),
        (minds.Fault("page"), AssertionError),
        (minds.within("error"), "APIStatusError"),
        (minds.within("garbage"), ValueError),
        (minds.within("tool_json", minds.use("look", {"number": 1})), ValueError),
    ],
)
def test_failures_reach_the_sdk(
    api: Api, client: anthropic.Anthropic, fault: minds.Fault, error: Any
) -> None:
    import anthropic

    api.mind = minds.script(fault)
    expected = getattr(anthropic, error) if isinstance(error, str) else error
    with pytest.raises(expected) as caught, client.messages.stream(**asking(tools=[LOOK])) as stream:
        stream.get_final_message()
    if fault.retry_after:
        assert caught.value.response.headers["retry-after"] == "3"
        assert caught.value.request_id
    assert api.made == [] and api.calls[0].fault == fault and api.refusals == []


def test_a_stream_that_ends_early_has_no_reason(api: Api, client: anthropic.Anthropic) -> None:
    api.mind = minds.script(minds.within("unfinished"))
    with client.messages.stream(**asking()) as stream:
        assert stream.get_final_message().stop_reason is None
