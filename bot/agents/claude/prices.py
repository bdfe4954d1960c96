"""The models: what each of them can, and what it costs by `genai-prices`, which the configuration can override."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a third of a second, which a price is not worth
    from bot.config import ModelPrice

_MILLION = 1_000_000


@dataclass(frozen=True)
class TokenUsage:
    """Tokens of one call, each counted once.

    `input_tokens` are those neither written to the cache nor read from it; `cache_write_1h_tokens` are those
    of `cache_write_tokens` that are kept for an hour.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """All that was sent, from wherever it was read."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.output_tokens


def cost_usd(
    model: str, usage: TokenUsage, overrides: Mapping[str, ModelPrice] | None = None
) -> float | None:
    """Return what one call cost in USD, None if neither the configuration nor the table knows the model."""
    given = overrides or {}
    price = given.get(model) or given.get(base_name(model))
    if price is not None:
        return _cost(price, usage)
    import genai_prices  # half a second, which only a call is worth; it asks no network by itself

    counted = genai_prices.Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=min(usage.cache_write_1h_tokens, usage.cache_write_tokens),
    )
    try:
        return float(genai_prices.calc_price(counted, model, provider_id="anthropic").total_price)
    except LookupError:
        return None


def _cost(price: ModelPrice, usage: TokenUsage) -> float:
    """Return what `usage` costs in USD at a price that the configuration gives."""

    def rate(own: float | None, share: float) -> float:
        return share * price.input if own is None else own

    return (
        usage.input_tokens * price.input
        + usage.output_tokens * price.output
        + usage.cache_read_tokens * rate(price.cache_read, 0.1)
        + (usage.cache_write_tokens - usage.cache_write_1h_tokens) * rate(price.cache_write, 1.25)
        + usage.cache_write_1h_tokens * rate(price.cache_write_1h, 2.0)
    ) / _MILLION


def worst_cost_usd(
    model: str, prompt_tokens: int, max_tokens: int, overrides: Mapping[str, ModelPrice] | None = None
) -> float | None:
    """Return the most that a call may cost: all of `max_tokens` used, the prompt read or kept as is dearest."""
    kinds = (
        TokenUsage(prompt_tokens, max_tokens),
        TokenUsage(0, max_tokens, cache_write_tokens=prompt_tokens),
        TokenUsage(0, max_tokens, cache_write_tokens=prompt_tokens, cache_write_1h_tokens=prompt_tokens),
    )
    costs = [cost_usd(model, usage, overrides) for usage in kinds]
    return max((cost for cost in costs if cost is not None), default=None)


# Claude's own page of the lineup: https://platform.claude.com/docs/en/models (October 2026).
_OUTPUT_NOW = 128_000
_OUTPUT_4_5 = 64_000


@dataclass(frozen=True)
class Traits:
    """Limits of one model, in tokens; `effort` says whether it takes `output_config.effort`."""

    context: int = 200_000
    max_output: int = _OUTPUT_4_5
    effort: bool = False


_NOW = Traits(context=1_000_000, max_output=_OUTPUT_NOW, effort=True)
_KNOWN = {
    "claude-fable-5-2": _NOW,
    "claude-mythos-5-2": _NOW,
    "claude-fable-5-1": _NOW,
    "claude-mythos-5-1": _NOW,
    "claude-fable-5": _NOW,
    "claude-mythos-5": _NOW,
    "claude-opus-5-5": _NOW,
    "claude-opus-5": _NOW,
    "claude-opus-4-8": _NOW,
    "claude-opus-4-7": _NOW,
    "claude-opus-4-6": _NOW,
    "claude-opus-4-5": Traits(effort=True),
    "claude-sonnet-5-5": _NOW,
    "claude-sonnet-5": _NOW,
    "claude-sonnet-4-6": _NOW,
    "claude-sonnet-4-5": Traits(),
    "claude-haiku-5-5": _NOW,
    "claude-haiku-4-5": Traits(),
}


def base_name(model: str) -> str:
    """Return `model` without the date of a snapshot: `claude-haiku-4-5-20251001` is `claude-haiku-4-5`."""
    return re.sub(r"-20\d{6}$", "", model)


def traits(model: str) -> Traits:
    """Return what is known of `model`; of an unknown one only what every current model can do."""
    return _KNOWN.get(base_name(model), Traits())
