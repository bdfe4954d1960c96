"""What the models cost: one dated table, which the configuration can override."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.agents.claude.models import base_name

AS_OF = "2026-11-23"
"""When the table was last compared with https://platform.claude.com/docs/en/about-claude/pricing."""
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


@dataclass(frozen=True)
class Rates:
    """USD per million tokens."""

    input: float
    output: float
    write_5m: float
    write_1h: float
    read: float

    def cost(self, usage: TokenUsage) -> float:
        """Return what `usage` costs, in USD."""
        return (
            usage.input_tokens * self.input
            + usage.output_tokens * self.output
            + usage.cache_read_tokens * self.read
            + (usage.cache_write_tokens - usage.cache_write_1h_tokens) * self.write_5m
            + usage.cache_write_1h_tokens * self.write_1h
        ) / _MILLION

    @property
    def dearest_input(self) -> float:
        return max(self.input, self.write_5m, self.write_1h)


@dataclass(frozen=True)
class Price:
    """Rates of one model; `long` are those of prompts of more than `long_from` tokens, where they differ."""

    rates: Rates
    long: Rates | None = None
    long_from: int = 100_000

    def of(self, prompt_tokens: int) -> Rates:
        """Return the rates that a call with a prompt of that length pays, output included."""
        return self.long if self.long is not None and prompt_tokens > self.long_from else self.rates


def _price(input_: float, output: float, read: float) -> Price:
    """Writing to the cache costs 1.25 times the input for five minutes, twice for an hour."""
    return Price(Rates(input_, output, 1.25 * input_, 2 * input_, read))


TABLE: dict[str, Price] = {
    "claude-fable-5-2": _price(8.0, 40.0, 0.20),
    "claude-mythos-5-2": _price(8.0, 40.0, 0.20),
    "claude-fable-5-1": _price(10.0, 50.0, 0.25),
    "claude-mythos-5-1": _price(10.0, 50.0, 0.25),
    "claude-fable-5": _price(10.0, 50.0, 1.00),
    "claude-mythos-5": _price(10.0, 50.0, 1.00),
    "claude-opus-5-5": _price(4.0, 20.0, 0.20),
    "claude-opus-5": _price(5.0, 25.0, 0.50),
    "claude-opus-4-8": _price(5.0, 25.0, 0.50),
    "claude-opus-4-7": _price(5.0, 25.0, 0.50),
    "claude-opus-4-6": _price(5.0, 25.0, 0.50),
    "claude-opus-4-5": _price(5.0, 25.0, 0.50),
    "claude-sonnet-5-5": _price(2.0, 10.0, 0.10),
    "claude-sonnet-5": _price(2.0, 10.0, 0.20),
    "claude-sonnet-4-6": _price(3.0, 15.0, 0.30),
    "claude-sonnet-4-5": _price(3.0, 15.0, 0.30),
    "claude-haiku-5-5": Price(
        Rates(0.10, 0.50, 0.125, 0.20, 0.01), long=Rates(0.50, 2.50, 0.625, 1.00, 0.05), long_from=100_000
    ),
    "claude-haiku-4-5": _price(1.0, 5.0, 0.10),
}


def price_of(model: str, overrides: Mapping[str, Price] | None = None) -> Price | None:
    """Return what `model` costs, None where neither the configuration nor the table knows it."""
    given = overrides or {}
    return given.get(model) or given.get(base_name(model)) or TABLE.get(base_name(model))


def cost_usd(model: str, usage: TokenUsage, overrides: Mapping[str, Price] | None = None) -> float | None:
    """Return what one call cost in USD, None for a model without a known price."""
    price = price_of(model, overrides)
    return None if price is None else price.of(usage.prompt_tokens).cost(usage)


def worst_cost_usd(
    model: str, prompt_tokens: int, max_tokens: int, overrides: Mapping[str, Price] | None = None
) -> float | None:
    """Return the most that a call may cost: all of the prompt written to the cache, all of `max_tokens` used."""
    price = price_of(model, overrides)
    if price is None:
        return None
    rates = price.of(prompt_tokens)
    return (prompt_tokens * rates.dearest_input + max_tokens * rates.output) / _MILLION
