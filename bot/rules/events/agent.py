"""Events of what agents used, and of what they miss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.rules.events.registry import Event, event

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign


@event("model_called", "called:{conversation}:{call}")
@dataclass(frozen=True)
class ModelCalled(Event):
    """One call of a model: what it used, in tokens, and what it cost; None if the price is not known.

    `conversation` names the conversation by a random word, `call` counts within it. `experiment` is None for
    calls that serve no single one. `stop_reason` is the model's, or `broken` where the answer did not arrive
    whole: then `output_tokens` is an estimate.
    """

    experiment: int | None
    role: str
    conversation: str
    call: int
    model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: float | None
    stop_reason: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.bills.add(self, at)


@event("package_wished", "wished:{experiment}:{module}")
@dataclass(frozen=True)
class PackageWished(Event):
    """A proposal of an experiment imports a module that candidates can't have."""

    experiment: int
    module: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.wishes.add(self.experiment, self.module)
