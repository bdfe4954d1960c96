"""Thinking: which settings a model takes, and signatures by which a block is known again.

https://platform.claude.com/docs/en/build-with-claude/thinking: blocks come back unchanged or not at all; newer
models bind them to all that stood before them, and other models let them pass unread.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from tests.messages.models import EFFORTS, MODELS, Rules
from tests.messages.refusal import bad, known, mapping, needed
from tests.messages.tokens import canonical

LEAST_BUDGET = 1024
_SECRET = b"known to the server alone"
_KEYS = {
    "adaptive": ("type", "display"),
    "enabled": ("type", "budget_tokens", "display"),
    "disabled": ("type",),
    "between_tools": ("type",),
}


def check_thinking(request: dict[str, Any], rules: Rules, effort: str | None) -> bool:
    """Return whether the model thinks in answering `request`."""
    model = request["model"]
    thinking = request.get("thinking")
    if thinking is None:
        return rules.thinks
    kind = mapping(thinking, "thinking").get("type")
    if kind not in _KEYS:
        raise bad("thinking: Input tag should be one of 'adaptive', 'between_tools', 'disabled', 'enabled'")
    if kind not in rules.thinking:
        raise bad(f'"thinking.type.{kind}" is not supported for this model ({model}).')
    known(thinking, _KEYS[kind], f"thinking.{kind}.")
    if thinking.get("display") not in (None, "summarized", "omitted"):
        raise bad(f"thinking.{kind}.display: Input should be 'summarized' or 'omitted'")
    if kind == "enabled":
        needed(thinking, ("budget_tokens",), "thinking.enabled.")
        budget = thinking["budget_tokens"]
        if not isinstance(budget, int) or budget < LEAST_BUDGET:
            raise bad("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if budget >= request.get("max_tokens", budget + 1):
            raise bad("`max_tokens` must be greater than `thinking.budget_tokens`.")
    most = rules.most_effort_unthinking
    unthinking = kind in ("disabled", "between_tools")
    if unthinking and effort and most and EFFORTS.index(effort) > EFFORTS.index(most):
        raise bad(f"thinking.{kind}: not allowed at effort {effort!r}")
    return kind in ("adaptive", "enabled")


def check_sampling(request: dict[str, Any], rules: Rules, thinking: bool) -> None:
    """The older version of the interface still knows these; the newer one has removed them."""
    given = {key: request[key] for key in ("temperature", "top_p", "top_k") if request.get(key) is not None}
    if not given:
        return
    if not rules.sampling:
        for key, value in given.items():
            if key == "top_k" or value != 1:
                raise bad(f"`{key}` is not supported for this model")
    if not 0 <= given.get("temperature", 1) <= 1:
        raise bad("temperature: range: 0..1")
    if thinking and given.get("temperature", 1) != 1:
        raise bad("`temperature` may only be set to 1 when thinking is enabled.")
    if thinking and "top_k" in given:
        raise bad("`top_k` must be unset when thinking is enabled.")
    if thinking and given.get("top_p", 1) < 0.95:
        raise bad("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.")


def sign(model: str, thought: str, before: str) -> str:
    """Return the signature of a block; `before` stands for the conversation that it was thought in."""
    claims = json.dumps({"model": model, "thought": _digest(thought), "before": before})
    seal = hmac.new(_SECRET, claims.encode(), hashlib.sha256).hexdigest()
    return base64.b64encode(f"{seal}{claims}".encode()).decode()


def history(request: dict[str, Any], system: list[dict[str, Any]], turns: list[dict[str, Any]]) -> str:
    """Return what stands for all that was said up to here."""
    return _digest(canonical([request.get("tools", []), system, turns]))


def check_signatures(
    request: dict[str, Any], system: list[dict[str, Any]], turns: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the turns without the thinking that this model can't read; refuse changed blocks and pasts."""
    model = request["model"]
    kept = []
    for number, turn in enumerate(turns):
        blocks = []
        for place, block in enumerate(turn["content"]):
            if block["type"] == "thinking":
                where = f"messages.{number}.content.{place}"
                claims = _claims(block, where)
                if claims["model"] != model:
                    continue
                if MODELS[model].bound and claims["before"] != history(request, system, turns[:number]):
                    raise bad(
                        f"{where}: this thinking block belongs to another conversation: earlier turns changed"
                    )
            blocks.append(block)
        kept.append({**turn, "content": blocks})
    return kept


def check_continuation(request: dict[str, Any], turns: list[dict[str, Any]]) -> None:
    """With a budget of its own, a turn that used tools must begin with its thinking."""
    if (request.get("thinking") or {}).get("type") != "enabled" or len(turns) < 2:
        return
    if any(block["type"] == "tool_result" for block in turns[-1]["content"]):
        first = turns[-2]["content"][0]["type"] if turns[-2]["content"] else "nothing"
        if first not in ("thinking", "redacted_thinking"):
            raise bad(
                f"messages.{len(turns) - 2}.content.0.type: Expected `thinking` or `redacted_thinking`, but found"
                f" `{first}`. When `thinking` is enabled, a final `assistant` message must start with a thinking block"
            )


def _claims(block: dict[str, Any], where: str) -> dict[str, str]:
    refused = bad(f"{where}: Invalid `signature` in `thinking` block")
    try:
        opened = base64.b64decode(str(block["signature"]), validate=True).decode()
        seal, claims = opened[:64], opened[64:]
        good = hmac.compare_digest(seal, hmac.new(_SECRET, claims.encode(), hashlib.sha256).hexdigest())
        said: dict[str, str] = json.loads(claims)
    except (ValueError, TypeError):
        raise refused from None
    if not good or said["thought"] != _digest(block["thinking"]):
        raise refused
    return said


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
