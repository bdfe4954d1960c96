"""What a campaign's own runs tell of how runs vary on one scale: kind of runner and fingerprint."""

from __future__ import annotations

from bot.rules.campaign import Campaign
from bot.rules.statistics import Noise, pooled_noise

PRIOR_DEGREES = 3.0
PRIOR_SHARE = 0.001


def campaign_noise(campaign: Campaign, prior: float | None, runner: str, fingerprint: str | None) -> Noise:
    """Return the run-to-run noise on one scale from its replicates and the prior (`prior_sigma`)."""
    return pooled_noise(
        campaign.score_groups(runner, fingerprint),
        prior_sigma=prior_sigma(campaign, prior, fingerprint),
        prior_degrees=PRIOR_DEGREES,
    )


def prior_sigma(campaign: Campaign, prior: float | None, fingerprint: str | None) -> float:
    """Return the noise to assume before replicates tell, in score units: as set, else 0.1 % of the first incumbent's
    score with this fingerprint."""
    if prior is not None:
        return prior
    for commit in dict.fromkeys(campaign.incumbents):
        for score in campaign.scores_of(commit, fingerprint=fingerprint):
            if score:
                return abs(score) * PRIOR_SHARE
    return PRIOR_SHARE
