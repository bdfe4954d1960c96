"""The audit of the head before a promotion: made if it lacks, looked at, and a reason to stop."""

from __future__ import annotations

from bot.errors import UserError
from bot.loop.commits import require_commit
from bot.loop.context import Context
from bot.loop.measure import measure
from bot.loop.settings import audits_are_made, least_effect
from bot.rules.audits import Lineage, lacks_head_audit, lineage_of
from bot.rules.campaign import Campaign
from bot.tell.sentences import lineage_refused

_TRIES = 2


def lineage(context: Context, campaign: Campaign) -> Lineage | None:
    """Return what the audits say of the head and the merges it is made of; None if there are no audits."""
    if not audits_are_made(context.config):
        return None
    return lineage_of(campaign, least_effect(context.config, campaign))


def audit_head(context: Context, campaign: Campaign) -> Campaign:
    """Make the head's audit before a promotion, if it lacks and runs may be made here; return the campaign then."""
    if not (audits_are_made(context.config) and context.may_run):
        return campaign
    for _ in range(_TRIES):
        if not lacks_head_audit(campaign):
            break
        require_commit(context, campaign.incumbent)
        measure(context, campaign.incumbent, experiment=None, title="head (its audit before the promotion)")
        campaign = context.ledger.refresh()
    return campaign


def require_clean_audits(context: Context, campaign: Campaign) -> None:
    """Raise UserError if the head is not audited yet as before a promotion, or audits stop it."""
    known = lineage(context, campaign)
    if known is not None and known.refused:
        raise UserError(lineage_refused(known))
    if known is not None and lacks_head_audit(campaign):
        raise UserError(
            f"{campaign.incumbent[:12]} is not audited yet as before a promotion: `nocturne run -n 1` does it, then"
            " promote again"
        )
