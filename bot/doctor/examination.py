"""The whole examination, in the order in which a human would ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.base.process import ProcessFailed
from bot.config import Evaluator
from bot.doctor.finding import Finding, amber, attempt, examine, red
from bot.doctor.github_checks import github
from bot.doctor.incumbent import Draws, draws
from bot.doctor.local_checks import FILES, SEARCH, files, search, tools
from bot.doctor.loop_conditions import (
    HOURS,
    REPEATS,
    TRUSTED,
    VERIFIED,
    affordable,
    plan_of,
    repeats,
    trusted,
    verified,
)
from bot.doctor.slack_checks import SLACK, slack
from bot.errors import UserError
from bot.forge.github import GitHubForge
from bot.git import Damaged
from bot.git.remote import github_token, is_github
from bot.ledger import now
from bot.loop.context import Context
from bot.loop.settings import can_have_cuts, evaluator_settings, limits
from bot.rules.campaign import Campaign
from bot.rules.stopping import Limits, why_stop
from bot.tell.figures.campaign import cuts_of_newest
from bot.tell.sentences import what_is_cut

SETUP, LEDGER, TOOLS, GITHUB = "repository and configuration", "ledger", "real tools", "GitHub"


def examination(
    open_context: Callable[[], Context], environ: Mapping[str, str], *, train: bool
) -> list[Finding]:
    """Return all findings; what can't be looked at is a finding too. `train` makes runs that are missing."""
    try:
        context = open_context()
        stops = limits(context.config)
    except (UserError, Damaged, ProcessFailed, OSError) as error:
        missing = red(SETUP, " ".join(str(error).split()))
        return [missing, *examine(TOOLS, lambda: tools(Evaluator(), None, {}))]
    campaign, findings = attempt(LEDGER, context.ledger.refresh)
    local = examine(
        TOOLS, lambda: tools(context.config.evaluator, context.git.top, evaluator_settings(context))
    )
    able = all(finding.colour != "red" for finding in local)
    if campaign is not None:
        begins = examine(FILES, lambda: files(context, campaign))
        if all(finding.colour != "red" for finding in begins):
            begins += examine(SEARCH, lambda: search(context, campaign))
        findings += begins
        ready = able and all(finding.colour != "red" for finding in begins)
        findings += _conditions(context, campaign, stops, train=train and ready, able=able)
    told = examine(SLACK, lambda: slack(context.config.slack, environ))
    return [*findings, *local, *_github(context, campaign, environ), *told]


def _conditions(
    context: Context, campaign: Campaign, stops: Limits, *, train: bool, able: bool
) -> list[Finding]:
    """Judge whether the task repeats, can be verified, and can be paid."""

    def draw() -> tuple[Draws, Campaign]:
        made = draws(context, campaign, train=train)
        return made, context.ledger.refresh() if made.fresh else campaign

    looked, checked = attempt(VERIFIED, draw)
    drawn, known = looked or (None, campaign)
    if drawn is not None and not able and len(drawn.runs) < 2:
        checked += [amber(VERIFIED, "not measured: the tools are not ready", "fix what is red below")]
    elif drawn is not None:
        checked += examine(VERIFIED, lambda: [verified(drawn, campaign, context.config)])
    seconds = drawn.seconds if drawn is not None else None
    plan = plan_of(known, context.config, stops, now=now(), run_seconds=seconds)
    stop = why_stop(known, stops, now=now())
    planned = examine(REPEATS, lambda: [repeats(plan, stop, context.config)])
    checked += examine(TRUSTED, lambda: trusted(context, drawn.commit) if drawn is not None else [])
    return [*planned, *checked, *examine(HOURS, lambda: affordable(plan, known, context.config))]


def _github(context: Context, campaign: Campaign | None, environ: Mapping[str, str]) -> list[Finding]:
    """Examine the remote if it is on GitHub; nothing is found if it isn't."""
    token = github_token(environ)
    if isinstance(context.forge, GitHubForge) and token is not None:
        client, allowed = context.forge.client, context.config.github.allow_public_runner
        return github(
            client, token, base=context.base, campaign=context.name, allow_public_runner=allowed,
            cuts_seen=what_is_cut(cuts_of_newest(campaign)) if can_have_cuts(context.config) else None,
        )  # fmt: skip
    origin = context.git.remote_url("origin")
    if (
        context.remote.kind == "embedded"
        and context.config.remote is None
        and origin
        and is_github(origin, environ)
    ):
        said = "origin is on GitHub and there is no token: everything stays in this clone"
        return [amber(GITHUB, said, "set GITHUB_TOKEN, or run this in the workflow")]
    return []
