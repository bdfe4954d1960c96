"""The server refuses what the real one refuses, in its words and with its status."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.messages.conftest import Raw
from tests.messages.minds import refusal, script, use, uses, words
from tests.messages.server import Api

if TYPE_CHECKING:
    import anthropic
    from anthropic.types import Message

pytestmark = pytest.mark.doubles

MODEL = "claude-sonnet-5-5"
LOOK = {
    "name": "look",
    "description": "Looks something up.",
    "strict": True,
    "input_schema": {
        "type": "object",
        "properties": {"number": {"type": "integer"}},
        "required": ["number"],
        "additionalProperties": False,
    },
}
USE = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"number": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "found"}
HELLO = {"role": "user", "content": "hello"}


def asking(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 100, "messages": list(messages) or [HELLO], **more}


def tool(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(LOOK) | changes


def strict(part: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    """A request with a strict tool that has `part` as its parameter."""
    schema = {
        "type": "object",
        "properties": {"value": part},
        "required": ["value"] if required else [],
        "additionalProperties": False,
    }
    return asking(tools=[tool(input_schema=schema)])


def mark(ttl: str | None = None) -> dict[str, Any]:
    return {"type": "ephemeral"} | ({"ttl": ttl} if ttl else {})


def marked(text: str, ttl: str | None = None) -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": mark(ttl)}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("no messages", asking() | {"messages": []}, "at least one message"),
    ("no max_tokens", {"model": MODEL, "messages": [HELLO]}, "max_tokens: Field required"),
    ("max_tokens too large", asking(max_tokens=128_001), "the maximum allowed number of output tokens"),
    ("max_tokens of a word", asking(max_tokens="many"), "valid integer"),
    ("max_tokens below zero", asking(max_tokens=-1), "greater than or equal to 0"),
    ("unknown key", asking(prompt="x"), "prompt: Extra inputs are not permitted"),
    ("temperature", asking(temperature=1), "temperature: Extra inputs are not permitted"),
    ("top_p", asking(top_p=0.9), "top_p: Extra inputs"),
    ("top_k", asking(top_k=5), "top_k: Extra inputs"),
    ("unknown role", asking({"role": "developer", "content": "x"}), 'Unexpected role "developer"'),
    ("system as a role", asking({"role": "system", "content": "x"}), "top-level `system`"),
    ("assistant first", asking({"role": "assistant", "content": "x"}, HELLO), "first message must use"),
    ("empty text", asking({"role": "user", "content": [{"type": "text", "text": ""}]}), "must be non-empty"),
    ("blank text", asking({"role": "user", "content": " \n"}), "non-whitespace"),
    ("empty content", asking({"role": "user", "content": []}), "non-empty content"),
    ("empty system block", asking(system=[{"type": "text", "text": ""}]), "must be non-empty"),
    ("message with another key", asking({**HELLO, "name": "x"}), "name: Extra inputs"),
    ("block of another kind", asking({"role": "user", "content": [{"type": "video"}]}), "Input tag 'video'"),
    ("block with another key", asking({"role": "user", "content": [{"type": "text", "text": "x", "a": 1}]}),
     "a: Extra"),
    ("call in a user's turn", asking({"role": "user", "content": [USE]}, tools=[LOOK]), "Input tag 'tool_use'"),
    ("prefill", asking(HELLO, {"role": "assistant", "content": "The answer is"}), "prefill"),
    ("citations", asking({"role": "user", "content": [{"type": "text", "text": "x", "citations": [{}]}]}), "citations"),
    # tools
    ("tool's name with a blank", asking(tools=[tool(name="look up")]), "should match pattern"),
    ("tool's name too long", asking(tools=[tool(name="a" * 65)]), "should match pattern"),
    ("two tools of a name", asking(tools=[LOOK, LOOK]), "must be unique"),
    ("tool without schema", asking(tools=[{"name": "look"}]), "input_schema: Field required"),
    ("tool's unknown key", asking(tools=[tool(parameters={})]), "parameters: Extra inputs"),
    ("schema of a list", asking(tools=[tool(input_schema={"type": "array"})]), "should be 'object'"),
    ("schema that is none", asking(tools=[tool(input_schema={"type": "object", "required": 3})]), "schema is invalid"),
    ("open object", asking(tools=[tool(input_schema={"type": "object", "properties": {}})]), "additionalProperties"),
    ("minimum", strict({"type": "integer", "minimum": 1}), "'minimum' is not supported"),
    ("maxLength", strict({"type": "string", "maxLength": 9}), "'maxLength' is not supported"),
    ("maxItems", strict({"type": "array", "items": {"type": "string"}, "maxItems": 3}), "'maxItems'"),
    ("minItems 2", strict({"type": "array", "items": {"type": "string"}, "minItems": 2}), "other than 0 or 1"),
    ("inner open object", strict({"type": "object", "properties": {}}), "additionalProperties"),
    ("lookahead", strict({"type": "string", "pattern": "(?=a)b"}), "lookaround"),
    ("objects in an enum", strict({"enum": [{"a": 1}]}), "no plain value"),
    ("unknown format", strict({"type": "string", "format": "color"}), "format 'color'"),
    ("foreign $ref", strict({"$ref": "https://example.org/s.json"}), "external $ref"),
    ("recursive schema", strict({"$ref": "#"}), "Recursive"),
    ("21 strict tools", asking(tools=[tool(name=f"look_{i}") for i in range(21)]), "Too many strict tools"),
    (
        "25 optional parameters",
        asking(tools=[tool(name=f"t{i}", input_schema={
            "type": "object", "properties": {f"p{j}": {"type": "string"} for j in range(5)},
            "additionalProperties": False}) for i in range(5)]),
        "too many optional",
    ),
    (
        "17 unions",
        asking(tools=[tool(input_schema={
            "type": "object", "properties": {f"p{j}": {"type": ["string", "null"]} for j in range(17)},
            "required": [f"p{j}" for j in range(17)], "additionalProperties": False})]),
        "union types",
    ),
    ("choice without tools", asking(tool_choice={"type": "auto"}), "while providing tools"),
    ("choice unknown", asking(tools=[LOOK], tool_choice={"type": "must"}), "Input tag"),
    ("choice of none with more", asking(tools=[LOOK], tool_choice={"type": "none", "disable_parallel_tool_use": True}),
     "Extra inputs"),
    ("choice of an absent tool", asking(tools=[LOOK], tool_choice={"type": "tool", "name": "x"}), "not found"),
    ("forced tool", asking(tools=[LOOK], tool_choice={"type": "any"}), "forced tool use is not supported"),
    (
        "forced tool while thinking",
        asking(tools=[LOOK], tool_choice={"type": "any"}, model="claude-haiku-5-5"),
        "Thinking may not be enabled",
    ),
    # pairing
    ("call without result", asking(HELLO, {"role": "assistant", "content": [USE]}, HELLO, tools=[LOOK]),
     "without `tool_result` blocks immediately after: toolu_1"),
    (
        "text before the result",
        asking(HELLO, {"role": "assistant", "content": [USE]},
               {"role": "user", "content": [{"type": "text", "text": "x"}, RESULT]}, tools=[LOOK]),
        "without `tool_result` blocks immediately after",
    ),
    ("result of nothing", asking({"role": "user", "content": [RESULT]}, tools=[LOOK]), "unexpected `tool_use_id`"),
    (
        "result twice",
        asking(HELLO, {"role": "assistant", "content": [USE]}, {"role": "user", "content": [RESULT, RESULT]},
               tools=[LOOK]),
        "a single result",
    ),
    (
        "result one turn late",
        asking(HELLO, {"role": "assistant", "content": [USE]}, {"role": "user", "content": [RESULT]},
               {"role": "assistant", "content": "ok"}, {"role": "user", "content": [RESULT]}, tools=[LOOK]),
        "unexpected `tool_use_id`",
    ),
    (
        "two calls of one id",
        asking(HELLO, {"role": "assistant", "content": [USE, USE]}, {"role": "user", "content": [RESULT]},
               tools=[LOOK]),
        "must be unique",
    ),
    ("results without tools", asking(HELLO, {"role": "assistant", "content": [USE]},
                                     {"role": "user", "content": [RESULT]}), "must define tools"),
    ("input of a call as text", asking(HELLO, {"role": "assistant", "content": [USE | {"input": "{}"}]},
                                       {"role": "user", "content": [RESULT]}, tools=[LOOK]), "valid dictionary"),
    # cache
    ("five breakpoints", asking(system=[marked(f"block {i}") for i in range(5)]), "maximum of 4 blocks"),
    ("four and one of its own", asking(system=[marked(f"block {i}") for i in range(4)], cache_control=mark()),
     "maximum of 4 blocks"),
    ("an hour after five minutes", asking(system=[marked("a"), marked("b", "1h")]), "must not come after"),
    ("another lifetime", asking(system=[marked("a", "2h")]), "Input should be '5m' or '1h'"),
    ("another kind of cache", asking(system=[{**marked("a"), "cache_control": {"type": "permanent"}}]), "'ephemeral'"),
    (
        "breakpoint on thinking",
        asking(HELLO, {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "x", "signature": "y", "cache_control": mark()}]}, HELLO),
        "cache_control: Extra inputs",
    ),
    # thinking
    ("budget on a new model", asking(thinking={"type": "enabled", "budget_tokens": 2000}), "not supported for this"),
    ("thinking off", asking(thinking={"type": "disabled"}), "not supported for this model"),
    ("between tools elsewhere", asking(model="claude-opus-5-5", thinking={"type": "between_tools"}), "not supported"),
    ("between tools with more", asking(thinking={"type": "between_tools", "display": "omitted"}), "Extra inputs"),
    ("between tools at most effort", asking(thinking={"type": "between_tools"}, output_config={"effort": "max"}),
     "not allowed at effort"),
    ("adaptive on an old model", asking(model="claude-haiku-4-5", thinking={"type": "adaptive"}), "not supported"),
    ("budget too small", asking(model="claude-haiku-4-5", max_tokens=5000,
                                thinking={"type": "enabled", "budget_tokens": 1023}), "or equal to 1024"),
    ("budget beyond max_tokens", asking(model="claude-haiku-4-5", max_tokens=1024,
                                        thinking={"type": "enabled", "budget_tokens": 1024}), "must be greater than"),
    ("effort where there is none", asking(model="claude-haiku-4-5", output_config={"effort": "low"}),
     "effort parameter"),
    ("another effort", asking(output_config={"effort": "huge"}), "should be one of"),
    ("invented signature", asking(HELLO, {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "x", "signature": "bm90IG91cnM="}]}, HELLO), "Invalid `signature`"),
    ("prompt too long", asking({"role": "user", "content": "x" * 900_000}, model="claude-haiku-4-5"),
     "prompt is too long: 225000 tokens > 200000 maximum"),
    ("blank stop sequence", asking(stop_sequences=[" "]), "non-whitespace"),
    ("unknown metadata", asking(metadata={"name": "x"}), "name: Extra inputs"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_request_is_refused_with_400_and_a_reason(
    raw: Raw, api: Api, body: dict[str, Any], said: str
) -> None:
    status, answer = raw(body)
    assert (status, answer["type"], answer["error"]["type"]) == (400, "error", "invalid_request_error")
    assert said in answer["error"]["message"]
    assert answer["request_id"].startswith("req_")
    assert api.refusals == [answer["error"]["message"]] and api.made == []


@pytest.mark.parametrize("version", ["2026-10-21", "2023-06-01"])
def test_what_is_in_order_is_answered(raw: Raw, version: str) -> None:
    body = asking(
        HELLO,
        {"role": "assistant", "content": [{"type": "text", "text": "looking"}, USE]},
        {"role": "user", "content": [RESULT, {"type": "text", "text": "and now?"}]},
        {"role": "user", "content": "one more thing"},
        tools=[LOOK],
        system=[marked("be brief", "1h")],
        cache_control=mark(),
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        output_config={"effort": "low"},
    )
    status, answer = raw(body, anthropic_version=version)
    assert status == 200, answer
    assert answer["stop_reason"] == "end_turn"
    assert [block["type"] for block in answer["content"]] == ["thinking", "text"]


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({"x_api_key": None}, 401, "authentication_error"),
        ({"x_api_key": "sk-ant-wrong"}, 401, "authentication_error"),
        ({"x_api_key": None, "authorization": "Basic abc"}, 401, "authentication_error"),
        ({"anthropic_version": None}, 400, "invalid_request_error"),
        ({"anthropic_version": "2024-01-01"}, 400, "invalid_request_error"),
        ({"content_type": "text/plain"}, 400, "invalid_request_error"),
        ({"path": "/v1/complete"}, 404, "not_found_error"),
    ],
)
def test_headers_are_looked_at_first(raw: Raw, headers: dict[str, Any], status: int, kind: str) -> None:
    answered, body = raw(asking(max_tokens="nonsense"), **headers)
    assert (answered, body["error"]["type"]) == (status, kind)


def test_bodies_that_are_no_json_are_refused(raw: Raw) -> None:
    assert raw(b"{")[0] == 400
    assert raw(b"[]")[0] == 400
    half = (
        b'{"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "\\ud83d"}]}'
    )
    assert "not valid JSON" in raw(half)[1]["error"]["message"]


def test_models_and_permissions(api: Api, client: anthropic.Anthropic) -> None:
    import anthropic

    with pytest.raises(anthropic.NotFoundError, match="model: claude-2"):
        client.messages.create(model="claude-2", max_tokens=9, messages=[{"role": "user", "content": "x"}])
    api.forbidden.add(MODEL)
    with pytest.raises(anthropic.PermissionDeniedError):
        client.messages.create(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "x"}])


def test_too_many_bytes_are_refused_unread(client: anthropic.Anthropic) -> None:
    import anthropic

    long = "x" * (33 << 20)
    with pytest.raises((anthropic.ContentTooLargeError, anthropic.APIConnectionError)):
        client.messages.create(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": long}])


def test_the_older_version_takes_what_the_model_takes(raw: Raw) -> None:
    old = {"anthropic_version": "2023-06-01"}
    assert raw(asking(model="claude-haiku-4-5", temperature=0.2), **old)[0] == 200
    assert raw(asking(temperature=1), **old)[0] == 200
    assert "not supported for this model" in raw(asking(temperature=0.2), **old)[1]["error"]["message"]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    body = asking(model="claude-haiku-4-5", max_tokens=2000, thinking=thinking)
    assert raw(body, **old)[0] == 200
    assert "set to 1 when thinking" in raw(body | {"temperature": 0.5}, **old)[1]["error"]["message"]
    assert "top_k" in raw(body | {"top_k": 3}, **old)[1]["error"]["message"]


def test_prefill_where_the_model_takes_it(raw: Raw) -> None:
    body = asking(HELLO, {"role": "assistant", "content": "The answer is"}, model="claude-haiku-4-5")
    assert raw(body)[0] == 200
    body["messages"][1]["content"] = "The answer is "
    assert "trailing whitespace" in raw(body)[1]["error"]["message"]


def talk(client: anthropic.Anthropic, **more: Any) -> list[dict[str, Any]]:
    """A turn with a call and thinking before it; return the messages up to the call's result."""
    request: dict[str, Any] = asking(tools=[LOOK]) | more
    reply = client.messages.create(**request)
    content = [block.to_dict() for block in reply.content]
    assert [block["type"] for block in content] == ["thinking", "tool_use"]
    result = {"type": "tool_result", "tool_use_id": content[1]["id"], "content": "3"}
    return [
        *request["messages"],
        {"role": "assistant", "content": content},
        {"role": "user", "content": [result]},
    ]


def test_thinking_comes_back_unchanged_and_in_its_own_conversation(
    api: Api, client: anthropic.Anthropic, raw: Raw
) -> None:
    api.mind = script(use("look", {"number": 2}), words("done"))
    messages = talk(client)
    body = asking(*messages, tools=[LOOK])
    assert raw(body)[0] == 200
    edits: tuple[tuple[Callable[[Any], object], str], ...] = (
        (lambda b: b["messages"][1]["content"][0].update(thinking="changed"), "Invalid `signature`"),
        (lambda b: b["messages"][0].update(content="another question"), "earlier turns changed"),
        (lambda b: b.update(system="another role"), "earlier turns changed"),
        (lambda b: b["tools"][0].update(description="Another."), "earlier turns changed"),
    )
    for edit, said in edits:
        edited = copy.deepcopy(body)
        edit(edited)
        status, answer = raw(edited)
        assert status == 400 and said in answer["error"]["message"], answer
    moved = copy.deepcopy(body)
    moved["messages"][0]["content"] = [marked("hello")]
    assert raw(moved)[0] == 200, "a breakpoint is no change"
    assert raw(body | {"model": "claude-opus-5-5"})[0] == 200, "another model reads past it"


def test_budgeted_thinking_must_begin_a_turn_with_tools(
    api: Api, client: anthropic.Anthropic, raw: Raw
) -> None:
    api.mind = script(use("look", {"number": 2}), words("done"))
    more = {
        "model": "claude-haiku-4-5",
        "max_tokens": 3000,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    messages = talk(client, **more)
    body = asking(*messages, tools=[LOOK]) | more
    assert raw(body)[0] == 200
    del body["messages"][1]["content"][0]
    assert "Expected `thinking`" in raw(body)[1]["error"]["message"]


def test_counting_checks_the_same_and_bills_nothing(api: Api, client: anthropic.Anthropic, raw: Raw) -> None:
    counted = client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "hello there"}])
    made = client.messages.create(
        model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "hello there"}]
    )
    assert counted.input_tokens == made.usage.input_tokens == 3
    assert len(api.made) == 1
    path = "/v1/messages/count_tokens"
    assert raw({"model": MODEL, "messages": []}, path)[0] == 400
    assert "max_tokens: Extra inputs" in raw(asking(), path)[1]["error"]["message"]


def test_answers_that_no_model_could_give_break_the_test(client: anthropic.Anthropic, api: Api) -> None:
    import anthropic

    for answer in (use("steal", {}), use("look", {"number": "three"})):
        api.mind = script(answer)
        with pytest.raises(anthropic.InternalServerError):
            client.messages.create(**asking(tools=[LOOK]))
    assert len(api.broken) == 2
    api.broken.clear()
    api.mind = script(use("steal", {}, wild=True))
    assert client.messages.create(**asking(tools=[LOOK])).stop_reason == "tool_use"


def test_reasons_to_stop(client: anthropic.Anthropic, api: Api) -> None:
    def reason(**more: Any) -> str | None:
        message: Message = client.messages.create(**asking(tools=[LOOK]) | more)
        return message.stop_reason

    api.mind = script(words("One. Two. Three."))
    assert reason() == "end_turn"
    assert reason(stop_sequences=["Two"]) == "stop_sequence"
    assert reason(max_tokens=10) == "max_tokens"
    api.mind = script(uses(("look", {"number": 1}), ("look", {"number": 2})))
    assert reason() == "tool_use"
    api.mind = script(refusal("frontier_llm"))
    reply = client.messages.create(**asking())
    assert reply.stop_reason == "refusal" and reply.content == []
    assert reply.stop_details is not None and reply.stop_details.category == "frontier_llm"
    api.mind = script(words("word " * 200))
    full = [{"role": "user", "content": "x" * 799_800}]
    assert reason(model="claude-haiku-4-5", messages=full, tools=[]) == "model_context_window_exceeded"


def test_everything_that_was_sent_can_be_searched(client: anthropic.Anthropic, api: Api) -> None:
    client.messages.create(**asking({"role": "user", "content": "the word is Grünkohl"}))
    assert "Grünkohl" in api.seen() and api.key not in api.seen()
