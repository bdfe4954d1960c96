"""What is rendered from the ledger: figures with the diffs that only git knows, and the ledger's own pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.agents.claude.transcripts import transcripts_of
from bot.ledger import now
from bot.loop.auditing import lineage
from bot.loop.context import Context
from bot.rules.campaign import Campaign
from bot.rules.noise import PRIOR_DEGREES, prior_sigma
from bot.tell.charts.svg import progress_svg
from bot.tell.figures.campaign import Figures, figures
from bot.tell.figures.results import results_tsv
from bot.tell.figures.talks import talks_of
from bot.tell.sentences import lineage_refused
from bot.tell.views.campaign import report
from bot.tell.writers import markdown


def figures_of(
    context: Context, campaign: Campaign, *, details: bool = False, at: datetime | None = None
) -> Figures:
    """Return the campaign's figures, as they read at the time `at` where it is given.

    With `details` they hold the change of each experiment whose commit is at hand, and the conversations that
    this clone has.
    """
    known = figures(
        campaign,
        diffs=_diffs(context, campaign) if details else {},
        talks=talks_of(transcripts_of(context.git.common_dir, context.name)) if details else {},
        now=at or now(),
        prior_sigma=prior_sigma(
            campaign, context.config.verdict.prior_sigma, campaign.scale[1] if campaign.scale else None
        ),
        prior_degrees=PRIOR_DEGREES,
        max_unread=context.config.most_unread,
        proposer=context.config.proposer,
        pauses=context.config.when_unreviewed == "pause",
    )
    audits = lineage(context, campaign)
    stopped = lineage_refused(audits) if audits is not None and audits.refused else ""
    return replace(known, name=context.name, audits=stopped)


def _diffs(context: Context, campaign: Campaign) -> dict[int, str]:
    lacking = [
        e.pull
        for e in campaign.experiments.values()
        if e.pull is not None and e.candidate is not None and context.git.resolve(e.candidate.commit) is None
    ]
    if lacking:
        context.forge.fetch_pulls(lacking)
    return {
        e.number: context.git.diff(e.candidate.parent, e.candidate.commit)
        for e in campaign.experiments.values()
        if e.candidate is not None
        and context.git.resolve(e.candidate.commit) is not None
        and context.git.resolve(e.candidate.parent) is not None
    }


def rendered_files(context: Context, campaign: Campaign) -> dict[str, bytes]:
    """Return what stands beside the events on the ledger branch: results.tsv, dashboard and chart."""
    if not campaign.incumbents:
        return {}
    known = figures_of(context, campaign)
    return {
        "results.tsv": results_tsv(campaign).encode(),
        "README.md": markdown.write(report(known, chart="progress.svg")).encode(),
        "progress.svg": progress_svg(known, width=900, height=420).encode(),
    }
