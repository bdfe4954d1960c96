"""Events of what another tool's log claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bot.rules.events.registry import Event, event

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign


@event("claim_imported", "claim:{digest}")
@dataclass(frozen=True)
class ClaimImported(Event):
    """An experiment of an earlier campaign, as the log `source` tells it. Nobody has measured it here.

    It teaches a search and a model what was tried; no verdict and no gain rests on it. `against` is the score that it
    had to beat; `commit` and `parent` are full names if this clone has them, `changes` and `edit` what they changed,
    as in a proposal. Without a commit, `changes` are what its words name.
    """

    claim: int
    digest: str
    source: str
    status: Literal["kept", "discarded", "crashed"]
    score: float | None
    against: float | None
    description: str
    category: str = "other"
    commit: str = ""
    parent: str = ""
    changes: tuple[dict[str, str], ...] = ()
    edit: str = ""

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        campaign.claims.known[self.digest] = self
