"""The budget of one conversation: no call that could break a cap is made, and each one goes on the ledger."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from bot.agents.claude.failures import OverBudget
from bot.agents.claude.prices import TokenUsage, cost_usd, worst_cost_usd
from bot.rules.bills import Bill
from bot.rules.campaign import Campaign
from bot.rules.events import ModelCalled

if TYPE_CHECKING:
    from bot.config import ModelPrice

NIGHT = timedelta(hours=24)
"""What a night's cap looks back on: any 24 hours, so that it holds whenever runs start."""


@dataclass(frozen=True)
class Caps:
    """The most that may be spent; None is no limit. Money can only be held if the price is known."""

    experiment_usd: float | None = None
    night_usd: float | None = None
    campaign_usd: float | None = None
    experiment_tokens: int | None = None
    researcher_usd: float | None = None
    """In any 24 hours, for the role of that name."""


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass
class Budget:
    """What one conversation of `role` for `experiment` may spend.

    `state` gives the campaign as it stands, what others spent included; `record` writes a call to the ledger,
    before the next one is allowed. `prices` override the table.
    """

    experiment: int | None
    role: str
    caps: Caps
    state: Callable[[], Campaign]
    record: Callable[[ModelCalled], object]
    prices: Mapping[str, ModelPrice] = field(default_factory=dict)
    clock: Callable[[], datetime] = _utc_now
    conversation: str = field(default_factory=lambda: secrets.token_hex(6))
    bill: Bill = field(default_factory=Bill)
    """What this conversation has used so far."""

    def allow(self, model: str, most_prompt_tokens: int, max_tokens: int, count: Callable[[], int]) -> None:
        """Return if a call stays within all caps even if it costs all that it may.

        `most_prompt_tokens` is a bound that costs nothing to know; only if it is too much, `count` is
        asked for the tokens as the provider counts them. Raises `OverBudget`.
        """
        if self._broken(model, most_prompt_tokens, max_tokens) is None:
            return
        broken = self._broken(model, count(), max_tokens)
        if broken is not None:
            raise OverBudget(broken)

    def spend(self, model: str, usage: TokenUsage, stop_reason: str) -> ModelCalled:
        """Write a call that was made to the ledger, and return its event."""
        called = ModelCalled(
            experiment=self.experiment,
            role=self.role,
            conversation=self.conversation,
            call=self.bill.calls + 1,
            model=model,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            cost_usd=cost_usd(model, usage, self.prices),
            stop_reason=stop_reason,
        )
        self.bill.add(called)
        self.record(called)
        return called

    def _broken(self, model: str, prompt_tokens: int, max_tokens: int) -> str | None:
        """Return which cap a call might break, in words; None if it breaks none."""
        campaign = self.state()
        mine = self.bill if self.experiment is None else campaign.bills.of_experiment(self.experiment)
        most_tokens = self.caps.experiment_tokens
        if most_tokens is not None and mine.tokens + prompt_tokens + max_tokens > most_tokens:
            return (
                f"models.experiment_tokens: {mine.tokens:,} of {most_tokens:,} tokens are used, and a call may"
                f" use {prompt_tokens + max_tokens:,}"
            )
        worst = worst_cost_usd(model, prompt_tokens, max_tokens, self.prices)
        if worst is None:
            return None
        since = (self.clock() - NIGHT).astimezone(timezone.utc).isoformat()
        for key, spent, cap in (
            ("models.experiment_usd", mine.usd, self.caps.experiment_usd),
            ("models.night_usd", campaign.bills.usd_since(since), self.caps.night_usd),
            ("models.researcher_usd", campaign.bills.usd_since(since, self.role), self.caps.researcher_usd),
            ("stop.cost_usd", campaign.cost_usd(), self.caps.campaign_usd),
        ):
            if cap is not None and spent + worst > cap:
                return f"{key}: {spent:.4f} of {cap:g} USD are spent, and a call may cost {worst:.4f}"
        return None
