"""From the configuration to a role of a campaign: model, caps, prices, transcripts."""

from __future__ import annotations

from typing import Literal

from bot.agents.claude.budget import Budget, Caps
from bot.agents.claude.client import Claude
from bot.agents.claude.conversation import Listener
from bot.agents.claude.prices import Rates, TokenUsage, cost_usd
from bot.agents.claude.role import ModelRole
from bot.agents.claude.transcripts import conversations
from bot.agents.registry import Setup
from bot.base.redact import Redactor
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


def unpriced(config: Config, model: str) -> str | None:
    """Return a sentence on a model whose price nobody knows, None if it is known."""
    if cost_usd(model, TokenUsage(), prices(config)) is not None:
        return None
    return (
        f"the price of {model} is not known: tokens are counted, and no cap of money holds;"
        " give it under models.prices"
    )


def campaign_role(setup: Setup, role: Literal["proposer", "reviewer"], model: str) -> ModelRole:
    """Return a role of a campaign, paid within its caps. Raises UserError if no key is there, or a skill is wrong."""
    setup.skills()  # a mistake in one shall be said now, not after the first runs
    config, redact = setup.config, Redactor(setup.environ)
    transcripts = conversations(setup.folder, setup.campaign, setup.environ, redact)
    claude = Claude(setup.environ, note=setup.note)
    missing = unpriced(config, model)
    if missing is not None:
        setup.note(missing)

    def budget(experiment: int) -> Budget:
        return Budget(experiment, role, caps(config), setup.state, setup.record, prices(config))

    def listener(experiment: int, conversation: str) -> Listener:
        return transcripts.begin(experiment, role, conversation)

    return ModelRole(claude, model, budget, listener, redact, config.models.effort)


def _rates(given: ModelPrice) -> Rates:
    return Rates(
        given.input,
        given.output,
        1.25 * given.input if given.cache_write is None else given.cache_write,
        2.0 * given.input if given.cache_write_1h is None else given.cache_write_1h,
        0.1 * given.input if given.cache_read is None else given.cache_read,
    )
