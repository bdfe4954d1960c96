"""The whole examination, in the order in which a human would ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.base.process import ProcessFailed
from bot.config import Evaluator
from bot.doctor.beginning import CHARGED, GUARDS, beginning, charged, guards
from bot.doctor.finding import Finding, amber, attempt, examine, green, red
from bot.doctor.github_checks import github
from bot.doctor.incumbent import NEEDED, Draws, draws
from bot.doctor.local_checks import tools
from bot.doctor.loop_conditions import (
    HOURS,
    REPEATS,
    VERIFIED,
    affordable,
    repeats,
    verified,
)
from bot.doctor.slack_checks import SLACK, slack
from bot.errors import UserError
from bot.forge.github import GitHubForge
from bot.git import Damaged
from bot.git.remote import github_token, is_github
from bot.ledger import now
from bot.loop.context import Context
from bot.loop.plan import budget_of, plan_of
from bot.loop.settings import can_have_cuts, evaluator_settings, limits
from bot.rules.campaign import Campaign
from bot.rules.stopping import why_stop
from bot.tell.figures.cuts import cuts_of_newest
from bot.tell.sentences import what_is_cut

SETUP, LEDGER, TOOLS, GITHUB = "repository and configuration", "ledger", "real tools", "GitHub"


def examination(
    open_context: Callable[[], Context], environ: Mapping[str, str], *, patience: float
) -> list[Finding]:
    """Return all findings; what can't be looked at is a finding too. Runs of the incumbent that are missing are made
    if they take less than `patience` seconds."""
    context, campaign, findings = repository(open_context, environ)
    if context is None:
        return [*findings, *examine(TOOLS, lambda: tools(Evaluator(), None, {}))]
    local = examine(
        TOOLS, lambda: tools(context.config.evaluator, context.git.top, evaluator_settings(context))
    )
    if campaign is not None:
        able = all(finding.colour != "red" for finding in (*local, *findings))
        findings += _conditions(context, campaign, patience=patience if able else 0.0, able=able)
    told = examine(SLACK, lambda: slack(context.config.slack, environ))
    return [*findings, *local, *_github(context, campaign, environ), *told]


def repository(
    open_context: Callable[[], Context], environ: Mapping[str, str]
) -> tuple[Context | None, Campaign | None, list[Finding]]:
    """Look at what `run` looks at before it begins: repository, configuration, ledger, and all of
    `bot.doctor.beginning`. Nothing is trained, and no jail is entered."""
    try:
        context = open_context()
    except (UserError, Damaged, ProcessFailed, OSError) as error:
        return None, None, [red(SETUP, " ".join(str(error).split()))]
    campaign, findings = attempt(LEDGER, context.ledger.refresh)
    if campaign is not None:
        findings += beginning(context, campaign, environ)
    return context, campaign, findings


def _conditions(context: Context, campaign: Campaign, *, patience: float, able: bool) -> list[Finding]:
    """Judge whether the task repeats, can be verified, and can be paid."""

    def draw() -> tuple[Draws, Campaign]:
        made = draws(context, campaign, patience=patience)
        return made, context.ledger.refresh() if made.fresh else campaign

    stops = limits(context.config)
    looked, checked = attempt(VERIFIED, draw)
    drawn, known = looked or (None, campaign)
    budget = None
    if drawn is not None and not able and len(drawn.runs) < NEEDED:
        checked += [amber(VERIFIED, "not measured: what is red comes first", "fix what is red")]
    elif drawn is not None:
        checked += examine(VERIFIED, lambda: [verified(drawn, campaign, context.config)])
        budget = budget_of(context, drawn.commit)
        commit = drawn.commit
        checked += examine(CHARGED, lambda: charged(context, known, commit))
        reported = {name for run in drawn.runs for name in run.reported}
        checked += examine(GUARDS, lambda: guards(context, known, reported))
    seconds = drawn.seconds if drawn is not None else None
    plan = plan_of(known, context.config, stops, now=now(), run_seconds=seconds, budget=budget)
    stop = why_stop(known, stops, now=now())
    planned = examine(REPEATS, lambda: [repeats(plan, stop, context.config)])
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
        return [green(GITHUB, "not asked: everything stays in this clone; `remote: origin` would share it")]
    return []
