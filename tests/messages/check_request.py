"""A whole request: everything that is refused before a model sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema

from tests.messages.cache import Step, steps
from tests.messages.check_messages import check_messages, check_system
from tests.messages.check_tools import check_choice, check_complexity, check_strict, check_tools
from tests.messages.models import MODELS, Rules
from tests.messages.refusal import Refusal, bad, items, known, mapping, needed, string
from tests.messages.thinking import (
    check_continuation,
    check_sampling,
    check_signatures,
    check_thinking,
    history,
)

NEW, OLD = "2026-10-21", "2023-06-01"
_COUNTED = (
    "messages", "model", "cache_control", "output_config", "speed", "system", "thinking", "tool_choice", "tools",
)  # fmt: skip
_MADE = (
    *_COUNTED, "max_tokens", "container", "diagnostics", "inference_geo", "metadata", "service_tier",
    "stop_sequences", "stream",
)  # fmt: skip


@dataclass(frozen=True)
class Prompt:
    """A request that is in order, as a model would get it."""

    request: dict[str, Any]
    rules: Rules
    tools: dict[str, dict[str, Any]]
    steps: list[Step]
    thinking: bool
    before: str
    """What stands for the conversation so far, in signatures."""

    @property
    def tokens(self) -> int:
        return self.steps[-1].tokens


def check_request(request: Any, version: str, *, counting: bool = False) -> Prompt:
    """Return the request as a prompt, or raise `Refusal`."""
    if not isinstance(request, dict):
        raise bad("Input should be a valid dictionary or object to extract fields from")
    sampling = () if version == NEW else ("temperature", "top_p", "top_k")
    known(request, (*(_COUNTED if counting else _MADE), *(() if counting else sampling)), "")
    needed(request, ("model", "messages") if counting else ("model", "max_tokens", "messages"), "")
    model = string(request["model"], "model")
    rules = MODELS.get(model)
    if rules is None:
        raise Refusal(404, f"model: {model}")
    if not counting:
        _check_sizes(request, model, rules)
    tools = check_tools(request["tools"]) if "tools" in request else {}
    effort = _check_output(request.get("output_config"), model, rules)
    thinking = check_thinking(request, rules, effort)
    check_sampling(request, rules, thinking)
    if "tool_choice" in request:
        check_choice(request["tool_choice"], tools, model, rules, thinking)
    system = check_system(request.get("system", []))
    turns = check_messages(request["messages"], rules, tools)
    before = history(request, system, turns)
    turns = check_signatures(request, system, turns)
    check_continuation(request, turns)
    found = steps(request, system, turns)
    if found[-1].tokens > rules.context:
        raise bad(f"prompt is too long: {found[-1].tokens} tokens > {rules.context} maximum")
    return Prompt(request, rules, tools, found, thinking, before)


def _check_sizes(request: Mapping[str, Any], model: str, rules: Rules) -> None:
    most = request["max_tokens"]
    if not isinstance(most, int) or isinstance(most, bool):
        raise bad("max_tokens: Input should be a valid integer")
    if most < 0:
        raise bad("max_tokens: Input should be greater than or equal to 0")
    if most > rules.max_output:
        raise bad(
            f"max_tokens: {most} > {rules.max_output}, which is the maximum allowed number of output tokens for {model}"
        )
    if not isinstance(request.get("stream", False), bool):
        raise bad("stream: Input should be a valid boolean")
    if request.get("service_tier", "auto") not in ("auto", "standard_only"):
        raise bad("service_tier: Input should be 'auto' or 'standard_only'")
    known(mapping(request.get("metadata") or {}, "metadata"), ("user_id",), "metadata.")
    for number, stop in enumerate(items(request.get("stop_sequences", []), "stop_sequences")):
        if not string(stop, f"stop_sequences.{number}").strip():
            raise bad("stop_sequences: each stop sequence must contain non-whitespace")


def _check_output(config: Any, model: str, rules: Rules) -> str | None:
    """Return the effort that is asked for."""
    if config is None:
        return None
    known(mapping(config, "output_config"), ("effort", "format"), "output_config.")
    if config.get("format") is not None:
        form = mapping(config["format"], "output_config.format")
        known(form, ("type", "schema"), "output_config.format.")
        if form.get("type") != "json_schema":
            raise bad("output_config.format: Input tag should be 'json_schema'")
        schema = mapping(form.get("schema"), "output_config.format.schema")
        jsonschema.Draft202012Validator.check_schema(schema)
        counts = {"optional": 0, "unions": 0}
        check_strict(schema, "output_config.format.schema", schema, counts)
        check_complexity(counts)
    effort = config.get("effort")
    if effort is None:
        return None
    if not rules.efforts:
        raise bad(f"This model does not support the effort parameter ({model}).")
    if effort not in rules.efforts:
        raise bad(f"output_config.effort: Input should be one of {', '.join(rules.efforts)}")
    return str(effort)
