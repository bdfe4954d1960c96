"""Events of the outer loop: its blocks, what it found, and which mechanisms are out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.rules.events.registry import Event, event
from bot.rules.outer.trial import advantage_words

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign


@event("outer_block_begun", "outer_block:{block}")
@dataclass(frozen=True)
class OuterBlockBegun(Event):
    """The next experiments, from number `first` on, are steered by one mechanism. Blocks count from 0."""

    block: int
    first: int
    mechanism: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.outer.blocks.append(self)


@event("outer_diagnosed", "outer_diagnosed:{experiment}:{term}")
@dataclass(frozen=True)
class Diagnosed(Event):
    """Before this experiment a term of the trace was over its threshold, and which mechanism answers that."""

    experiment: int
    term: str
    value: float
    threshold: float
    leads_to: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.outer.diagnoses.append(self)


@event("mechanism_died", "mechanism_died:{mechanism}")
@dataclass(frozen=True)
class MechanismDied(Event):
    """It changed no proposal in its last blocks, and gets no more."""

    mechanism: str
    blocks: int

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.outer.gone[self.mechanism] = "dead", f"its last {self.blocks} blocks changed no proposal"


@event("mechanism_retired", "mechanism_retired:{mechanism}")
@dataclass(frozen=True)
class MechanismRetired(Event):
    """The upper bound of what it adds to the controls is below nothing. Figures are in deviations of one run."""

    mechanism: str
    advantage: float
    error: float

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        why = f"{advantage_words(self.advantage, self.error)} noise units a block beside the controls"
        campaign.outer.gone[self.mechanism] = "retired", why


@event("mechanism_failed", "mechanism_failed:{mechanism}:{experiment}")
@dataclass(frozen=True)
class MechanismFailed(Event):
    """It failed before this experiment, which goes on without it; it is off until `until` (ISO 8601)."""

    mechanism: str
    experiment: int
    reason: str
    until: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.outer.failed[self.mechanism] = self.until, self.reason


@event("mechanism_switched", "mechanism_switched:{source}")
@dataclass(frozen=True)
class MechanismSwitched(Event):
    """A human took a mechanism out, or let it in again. `source` names the comment or the command."""

    mechanism: str
    on: bool
    source: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        if self.on:
            campaign.outer.switched_off.discard(self.mechanism)
            campaign.outer.gone.pop(self.mechanism, None)
            campaign.outer.failed.pop(self.mechanism, None)
        else:
            campaign.outer.switched_off.add(self.mechanism)
