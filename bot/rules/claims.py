"""What was imported from other tools' logs: history for a search and for models, and evidence for nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.rules.proposal import Change, PastExperiment

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign
    from bot.rules.events import ClaimImported

SOURCE = "claim:"  # what the source of an idea begins with that asks to measure a claim
_VERDICTS = {"kept": "improved", "discarded": "discarded", "crashed": "crashed"}


@dataclass
class Claims:
    """All claims of a campaign by their digests, in the order in which they came."""

    known: dict[str, ClaimImported] = field(default_factory=dict)

    def sources(self) -> list[str]:
        return list(dict.fromkeys(claim.source for claim in self.known.values()))


def gain_of(claim: ClaimImported, direction: str) -> float:
    """Return by how much a claim says it was better, in score units; 0 if it says nothing."""
    if claim.score is None or claim.against is None:
        return 0.0
    return claim.against - claim.score if direction == "minimize" else claim.score - claim.against


def measured_by(campaign: Campaign, claim: ClaimImported) -> tuple[int, ...]:
    """Return the experiments that have tried a claim."""
    state = campaign.ideas.from_source(SOURCE + claim.digest)
    return () if state is None else state.experiments


def claims_as_past(campaign: Campaign) -> list[PastExperiment]:
    """Return the claims that no experiment has tried, as a proposer reads the past: all before the first experiment."""
    untried = [claim for claim in campaign.claims.known.values() if not measured_by(campaign, claim)]
    return [
        PastExperiment(
            number=place - len(untried),
            changes=tuple(Change(**change) for change in claim.changes),
            hypothesis=claim.description,
            category=claim.category,
            verdict=_VERDICTS[claim.status],
            effect=None
            if claim.score is None or claim.against is None
            else -gain_of(claim, campaign.direction),
            sigma=None,
            landed=False,
            parent_values={},
            edit=claim.edit,
            claim=claim.claim,
        )
        for place, claim in enumerate(untried)
    ]
