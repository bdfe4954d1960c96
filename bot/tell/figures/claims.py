"""What other tools' logs claim, beside what was measured: in no figure of the campaign's own."""

from __future__ import annotations

from dataclasses import dataclass

from bot.rules.campaign import Campaign
from bot.rules.claims import gain_of, measured_by
from bot.rules.events import ClaimImported

_BEST = 10


@dataclass(frozen=True)
class ClaimRow:
    """A claim that was kept there: what it says it gained, in score units, and the experiments that tried it here."""

    number: int
    description: str
    gain: float
    experiments: tuple[int, ...]


@dataclass(frozen=True)
class ClaimFigures:
    """`total` claims from `sources`, `kept` there; `tried` were tried here; `best` claim to have gained most."""

    total: int = 0
    kept: int = 0
    tried: int = 0
    sources: tuple[str, ...] = ()
    best: tuple[ClaimRow, ...] = ()


def claim_figures(campaign: Campaign) -> ClaimFigures:
    """Return what there is to say of a campaign's imported claims."""
    claims = list(campaign.claims.known.values())
    kept = [claim for claim in claims if claim.status == "kept"]

    def gain(claim: ClaimImported) -> float:
        return gain_of(claim, campaign.direction)

    best = sorted((claim for claim in kept if gain(claim) > 0), key=lambda claim: (-gain(claim), claim.claim))
    rows = [
        ClaimRow(claim.claim, claim.description, gain(claim), measured_by(campaign, claim))
        for claim in best[:_BEST]
    ]
    tried = sum(bool(measured_by(campaign, claim)) for claim in claims)
    return ClaimFigures(len(claims), len(kept), tried, tuple(campaign.claims.sources()), tuple(rows))
