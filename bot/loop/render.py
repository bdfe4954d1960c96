"""What is rendered from the ledger: figures with the diffs that only git knows, and the ledger's own pages."""

from __future__ import annotations

from collections.abc import Mapping
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
from bot.tell.figures.results import results_files
from bot.tell.figures.talks import talks_of
from bot.tell.sentences import lineage_refused
from bot.tell.views.campaign import report
from bot.tell.writers import markdown

RENDER_EVERY = 10  # experiments, for the chart and results.tsv
LATEST = 50  # experiments on the dashboard


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
    whole = _diff(context, campaign.baseline, campaign.incumbent) if details and campaign.incumbents else ""
    if campaign.started is None:  # the configuration is all that there is
        metric = context.config.evaluator.metric
        known = replace(known, metric=metric.name, direction=metric.direction)
    return replace(
        known, name=context.name, audits=stopped, repository=_repository(context), whole_diff=whole
    )


def _repository(context: Context) -> str:
    """Return what to call the repository: owner and name on GitHub, else its folder."""
    url = context.git.remote_url(context.remote.name_or_url) or context.remote.name_or_url
    if context.remote.kind == "github":
        return "/".join(url.removesuffix("/").removesuffix(".git").replace(":", "/").split("/")[-2:])
    return context.git.top.name


def _diff(context: Context, before: str, after: str) -> str:
    """Return the change between two commits, nothing if one of them is not at hand."""
    return context.git.diff(before, after) if _is_here(context, before, after) else ""


def _is_here(context: Context, *commits: str) -> bool:
    return all(context.git.resolve(commit) is not None for commit in commits)


def _diffs(context: Context, campaign: Campaign) -> dict[int, str]:
    lacking = [
        e.pull
        for e in campaign.experiments.values()
        if e.pull is not None and e.candidate is not None and context.git.resolve(e.candidate.commit) is None
    ]
    if lacking:
        context.forge.fetch_pulls(lacking)
    there = {
        e.number: (e.candidate.parent, e.candidate.commit)
        for e in campaign.experiments.values()
        if e.candidate is not None and _is_here(context, e.candidate.parent, e.candidate.commit)
    }
    found = zip(there, context.git.diffs(list(there.values())), strict=True)
    return {number: diff for number, diff in found if diff}


def rendered_files(
    context: Context,
    campaign: Campaign,
    *,
    working: bool = True,
    beside: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """Return what stands beside the events on the ledger branch: the dashboard, written with each verdict, and at
    intervals the chart and results.tsv. `working`: a loop is at it; else all of it is written. `beside`: further
    files that are written with them."""
    if not campaign.incumbents:
        return dict(beside or {})
    known = figures_of(context, campaign)
    if working and known.state in ("idle", "new"):  # between two leases
        known = replace(known, state="running")
    shown = report(known, chart="progress.svg", latest=LATEST, merged=LATEST)
    files = {"README.md": markdown.write(shown)}
    done = len(campaign.order)
    if not working or done <= 1 or done % RENDER_EVERY == 0:
        files |= {"progress.svg": progress_svg(known, width=900, height=420), **results_files(campaign)}
    return {**(beside or {}), **{name: text.encode() for name, text in files.items()}}
