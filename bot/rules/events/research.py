"""Events of the outer loop's researcher: the mechanisms that it wrote, and when it wrote none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.rules.events.registry import Event, event

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign


@event("mechanism_written", "mechanism_written:{mechanism}")
@dataclass(frozen=True)
class MechanismWritten(Event):
    """Before this experiment a mechanism was written that passed its checks, and goes on trial.

    It is the file `path` of `commit` on a branch of its own, with a pull request there.
    """

    mechanism: str
    experiment: int
    path: str
    commit: str
    branch: str
    pull: int
    url: str
    author: str
    rationale: str
    checks: tuple[str, ...] = ()

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.outer.written[self.mechanism] = self
        campaign.outer.researched = max(campaign.outer.researched, self.experiment)


@event("nothing_written", "nothing_written:{experiment}")
@dataclass(frozen=True)
class NothingWritten(Event):
    """Before this experiment the researcher was asked, and wrote nothing that passes; `why` in a few words."""

    experiment: int
    why: str

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.outer.researched = max(campaign.outer.researched, self.experiment)
        campaign.outer.unwritten.append(self)
