"""What `run` looks at before it begins, in its own words (`bot.loop.start`), and what it found that is well."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bot.agents.offline.space import space_of, told
from bot.config import CONFIG_PATH
from bot.doctor.finding import Finding, amber, examine, green
from bot.loop.agents import with_agents
from bot.loop.commits import editable_files, require_commit
from bot.loop.context import Context
from bot.loop.files import base_commit, check_tree, check_working_tree
from bot.loop.settings import reference_settings
from bot.loop.start import (
    APART,
    CHECKS,
    FILES,
    PACKAGES,
    SEARCH,
    Remark,
    check_guards,
    rules_of,
)
from bot.rules.campaign import Campaign
from bot.rules.reference import is_missing

AGENTS, GUARDS, CHARGED = "who proposes and reviews", "guards", "what time is charged by"


def beginning(context: Context, campaign: Campaign, environ: Mapping[str, str]) -> list[Finding]:
    """Return what is found by each check that `run` makes before a campaign's first run, and of the agents.

    If the files aren't there, nothing that reads them is looked at.
    """
    agents = examine(AGENTS, lambda: _agents(context, environ))
    found = examine(FILES, lambda: _files(context, campaign))
    if any(finding.colour == "red" for finding in found):
        return [*found, *agents]
    found += examine(PACKAGES, lambda: _packages(context, campaign))
    found += examine(SEARCH, lambda: search(context, campaign))
    found += examine(APART, lambda: _remarked(APART, context, campaign))
    return [*found, *agents]


def _remarked(name: str, context: Context, campaign: Campaign) -> list[Finding]:
    """Return what one of the checks finds remarkable. Raises UserError if it says that no run can begin."""
    remarks: list[Remark] = [*CHECKS[name](context, campaign, _commit(context, campaign))]
    return [amber(name, "; ".join(each.said for each in remarks), remarks[0].fix)] if remarks else []


def _agents(context: Context, environ: Mapping[str, str]) -> list[Finding]:
    with_agents(context, environ)
    config = context.config
    return [green(AGENTS, f"`{config.proposer}` proposes, `{config.reviewer}` review: nothing is lacking")]


def _files(context: Context, campaign: Campaign) -> list[Finding]:
    check_working_tree(context)
    if campaign.started is None:
        found = _remarked(FILES, context, campaign)
    else:
        check_tree(context, _commit(context, campaign))
        found = []
    count = len(context.config.editable)
    named = "the editable file" if count == 1 else f"all {count} editable files"
    return found or [green(FILES, f"{named} and what goes with them are committed, and their Python parses")]


def charged(context: Context, campaign: Campaign, commit: str) -> list[Finding]:
    """Say by which commit's measure time is charged, and whether that is known here; nothing if no time counts."""
    settings = reference_settings(context)
    if not settings:
        return []
    reference = campaign.reference if campaign.started is not None else commit
    known = campaign.started is not None and not is_missing(campaign, context.runner, settings)
    here = "measured on this kind of machine" if known else "not measured here yet: the first run does it"
    said = f"by {reference[:12]}, the last commit that a human wrote, {here} ({context.runner})"
    return [green(CHARGED, said)]


def _packages(context: Context, campaign: Campaign) -> list[Finding]:
    fine = green(PACKAGES, "nothing is imported that the task's Python is known to lack")
    return _remarked(PACKAGES, context, campaign) or [fine]


def guards(context: Context, campaign: Campaign, reported: Collection[str]) -> list[Finding]:
    """Judge the guards by what runs have reported, those on the ledger and `reported` ones."""
    wanted = context.config.evaluator.guards
    if not wanted:
        return []
    check_guards(context, campaign, reported)
    known = bool(reported) or any(run.score is not None for run in campaign.runs.values())
    if known:
        return [green(GUARDS, f"runs report what they name: {'; '.join(wanted)}")]
    fix = "run `nocturne doctor --run`, or look at the first run"
    return [amber(GUARDS, f"whether runs report what they name is not known yet: {'; '.join(wanted)}", fix)]


def search(context: Context, campaign: Campaign) -> list[Finding]:
    """Say how many things the offline search will turn, the first of them, and what it leaves alone and why."""
    found = _remarked(SEARCH, context, campaign)
    if found:
        return found
    commit = _commit(context, campaign)
    texts = editable_files(context, commit)
    space = space_of(texts, rules_of(context, commit, texts))
    if context.config.proposer not in ("claude", "offline"):
        return [green(SEARCH, f"`{context.config.proposer}` proposes; the offline search is not asked")]
    if context.config.proposer == "claude":
        if space.knobs:
            return [green(SEARCH, f"Claude proposes; if it doesn't, the offline search turns {told(space)}")]
        said = "Claude proposes; the offline search, which goes on if it doesn't, finds nothing to turn"
        return [amber(SEARCH, said, f"name constants under `turn:` in {CONFIG_PATH}")]
    if not space.knobs:
        fix = f"name constants under `turn:` in {CONFIG_PATH}"
        return [amber(SEARCH, "nothing but what a human asked for", fix)]
    return [green(SEARCH, told(space))]


def _commit(context: Context, campaign: Campaign) -> str:
    """Return the commit that a run would begin with. Raises UserError if it is not there."""
    if campaign.started is not None:
        require_commit(context, campaign.incumbent)
        return campaign.incumbent
    return base_commit(context)
