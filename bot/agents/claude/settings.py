"""From the configuration to what a budget needs."""

from __future__ import annotations

from bot.agents.claude.budget import Caps
from bot.agents.claude.prices import Rates, TokenUsage, cost_usd
from bot.config import Config, ModelPrice


def caps(config: Config) -> Caps:
    """Return the caps of `models` and `stop`."""
    return Caps(
        experiment_usd=config.models.experiment_usd,
        night_usd=config.models.night_usd,
        campaign_usd=config.stop.cost_usd,
        experiment_tokens=config.models.experiment_tokens,
    )


def prices(config: Config) -> dict[str, Rates]:
    """Return the prices that the configuration gives."""
    return {name: _rates(given) for name, given in config.models.prices.items()}


def unpriced(config: Config) -> str | None:
    """Return a sentence on the models in use whose price nobody knows, None where there is none."""
    models = dict.fromkeys((config.models.proposer, config.models.reviewer))
    missing = [model for model in models if cost_usd(model, TokenUsage(), prices(config)) is None]
    if not missing:
        return None
    return (
        f"the price of {' and '.join(missing)} is not known: tokens are counted, and no cap of money holds;"
        " give it under models.prices"
    )


def _rates(given: ModelPrice) -> Rates:
    return Rates(
        given.input,
        given.output,
        1.25 * given.input if given.cache_write is None else given.cache_write,
        2.0 * given.input if given.cache_write_1h is None else given.cache_write_1h,
        0.1 * given.input if given.cache_read is None else given.cache_read,
    )
