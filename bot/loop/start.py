"""The campaign's beginning: what must be there, what there is to turn, and the first event."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from bot.agents.offline.space import (
    Rules,
    Space,
    everything_tried,
    nothing_to_turn,
    space_of,
    unknown_names,
    unread_names,
)
from bot.agents.protocol import Searcher
from bot.config import CONFIG_PATH, Config
from bot.errors import UserError
from bot.git import Git
from bot.git.mentions import mentioned
from bot.loop.commits import editable_files
from bot.loop.context import Context
from bot.loop.files import base_commit, check_files, check_tree, check_working_tree
from bot.loop.packages import lacking
from bot.loop.settings import decision_keys, default_effect, guards_of, why_self_reported
from bot.rules.campaign import Campaign
from bot.rules.events import CampaignStarted, IncumbentMoved, RuleSet
from bot.rules.guards import unreported
from bot.rules.rule_changes import said
from bot.rules.self_reported import FIX


@dataclass(frozen=True)
class Remark:
    """What stops no run and should be known before one is paid for, and the fix."""

    said: str
    fix: str


Check = Callable[[Context, Campaign, str], Iterable[Remark]]
"""Looks at a campaign that would begin on a commit. Raises UserError if it can't."""


def ensure_started(context: Context) -> Campaign:
    """Return the campaign, begun if it is new. Raises UserError if the repository isn't ready for one.

    Until a run has a score, what is remarkable is told.
    """
    check_working_tree(context)
    campaign = context.ledger.refresh()
    base = base_commit(context)
    remarks: list[Remark] | None = None
    if campaign.started is None:
        remarks = look(context, campaign, base)
        event = CampaignStarted(
            campaign=context.name,
            base_branch=context.base,
            base_commit=base,
            metric=context.config.evaluator.metric.name,
            direction=context.config.evaluator.metric.direction,
            seed=context.config.seed,
            min_effect=default_effect(context.config),
            rungs=True,
            rule=decision_keys(context.config),
        )
        campaign = context.ledger.append(lambda _: [event])
    _check_metric(context, campaign)
    campaign = _note_rule(context, campaign)
    campaign = _follow_base_before_first_experiment(context, campaign, base)
    check_tree(context, campaign.incumbent)
    check_guards(context, campaign)
    if remarks is None and not campaign.scored_runs:
        remarks = look(context, campaign, campaign.incumbent)
    for remark in remarks or ():
        context.display.note(f"{remark.said} -> {remark.fix}")
    return campaign


def look(context: Context, campaign: Campaign, commit: str) -> list[Remark]:
    """Make all of `CHECKS`: return what is remarkable. Raises UserError for the first reason not to begin."""
    return [remark for check in CHECKS.values() for remark in check(context, campaign, commit)]


def _files(context: Context, campaign: Campaign, commit: str) -> Iterable[Remark]:
    check_files(context, commit)
    return ()


def _packages(context: Context, campaign: Campaign, commit: str) -> Iterable[Remark]:
    found = lacking(context, commit)
    if found and found[0].surely:
        raise UserError(f"{found[0].said}: {found[0].fix}")
    return [Remark(lack.said, lack.fix) for lack in found]


def _search(context: Context, campaign: Campaign, commit: str) -> Iterable[Remark]:
    if not campaign.order:
        check_names(context, commit, editable_files(context, commit))
    require_space(context, campaign, commit)
    return ()


def _apart(context: Context, campaign: Campaign, commit: str) -> Iterable[Remark]:
    why = why_self_reported(context, commit)
    if why is not None:
        yield Remark(f"the score is {why}", FIX)


def _locked(context: Context, campaign: Campaign, commit: str) -> Iterable[Remark]:
    if context.config.evaluator.jail == "none":
        yield Remark(
            "evaluator.jail is none: candidates run with all that you may do, every score is marked",
            f"take `jail: none` out of {CONFIG_PATH}",
        )


FILES, PACKAGES, SEARCH = "the campaign's files", "packages of the task", "what the search may turn"
APART, LOCKED = "the score is measured apart", "candidates are locked in"
CHECKS: Mapping[str, Check] = {
    FILES: _files,
    PACKAGES: _packages,
    SEARCH: _search,
    APART: _apart,
    LOCKED: _locked,
}
"""What is looked at before a campaign's first run, by `run` and by `doctor`, in this order."""


def check_guards(context: Context, campaign: Campaign, also: Collection[str] = ()) -> None:
    """Raise UserError if a guard names what no run with a score has reported, nor is among `also`."""
    guards = guards_of(context.config)
    scored = [run.metrics for run in campaign.runs.values() if run.score is not None] if guards else []
    reported = {*also, *(name for metrics in scored for name in metrics)}
    said = unreported(guards, reported) if reported else None
    if said is not None:
        raise UserError(f"{CONFIG_PATH}: evaluator.guards: {said}")


def _check_metric(context: Context, campaign: Campaign) -> None:
    started, metric = campaign.started, context.config.evaluator.metric
    if started is not None and (started.metric, started.direction) != (metric.name, metric.direction):
        raise UserError(
            f"{CONFIG_PATH}: evaluator.metric: campaign {context.name!r} measures {started.metric}"
            f" ({started.direction}d): put that back, or start another campaign under `campaigns:`"
        )


def _note_rule(context: Context, campaign: Campaign) -> Campaign:
    """Record that what decides was set anew since it was last recorded, and say so."""
    rule = decision_keys(context.config)
    if campaign.rule == rule:
        return campaign
    known = len(campaign.rule_changes)
    campaign = context.ledger.append(lambda c: [RuleSet(c.rule_turns + 1, rule)] if c.rule != rule else [])
    for change in campaign.rule_changes[known:]:
        context.display.note(said(change))
    return campaign


def _follow_base_before_first_experiment(context: Context, campaign: Campaign, base: str) -> Campaign:
    """Until the first experiment the baseline follows the human's commits on the base branch."""
    if campaign.experiments or campaign.incumbent == base:
        return campaign
    previous = campaign.incumbent
    if context.git.resolve(previous) is not None and not context.git.is_ancestor(previous, base):
        return campaign
    if context.forge.branch_head(context.branch) == previous:
        context.forge.push_branch(context.branch, base)
    return context.ledger.append(
        lambda c: (
            [IncumbentMoved(base, previous, c.moves + 1, "base")]
            if not c.experiments and c.incumbent == previous
            else []
        )
    )


def rules_of(context: Context, commit: str, files: Mapping[str, str]) -> Rules:
    """Return what the search is told beside the editable `files` of a commit."""
    return rules_for(context.config, context.git, commit, files)


def rules_for(config: Config, git: Git, commit: str | None, files: Mapping[str, str]) -> Rules:
    """Return the same before a campaign is opened, or anything is committed."""
    words = (*config.evaluator.produce, *config.evaluator.command)
    names = unread_names(files) if commit is not None else frozenset[str]()
    outside = _mentioned(git, commit, names, tuple(sorted(files)), words) if commit is not None else names
    return Rules(turn=tuple(config.turn), leave=tuple(config.leave), outside=outside, words=words)


def check_names(context: Context, commit: str, files: Mapping[str, str]) -> None:
    """Raise UserError if `turn` or `leave` name what is no constant of the files."""
    rules = Rules(turn=tuple(context.config.turn), leave=tuple(context.config.leave))
    unknown = unknown_names(files, rules)
    if unknown:
        raise UserError(f"{CONFIG_PATH}: {unknown[0]}")


def require_space(context: Context, campaign: Campaign, commit: str) -> None:
    """Raise UserError if the offline search proposes and has nothing to turn on `commit`, before a run is paid for.

    What a human asked for needs no search, and what was begun goes on.
    """
    if context.config.proposer != "offline" or not isinstance(context.proposer, Searcher):
        return
    asked = campaign.started is not None and (
        campaign.open_experiments()
        or campaign.ideas.waiting()
        or campaign.reverts_waiting
        or campaign.retries_waiting
    )
    if asked:
        return
    files = editable_files(context, commit)
    space = space_of(files, rules_of(context, commit, files))
    if not space.knobs:
        raise UserError(f"{CONFIG_PATH}: {nothing_to_turn(space, files)}")


def why_nothing(context: Context, space: Space, files: Mapping[str, str]) -> tuple[str, str]:
    """Return why the proposer proposes nothing: in a few words, and as a line that says what would help."""
    if not isinstance(context.proposer, Searcher):
        return (
            "the proposer has nothing left to try",
            "the proposer has nothing left to try; widen the program",
        )
    if not space.knobs:
        return "there is nothing to turn", nothing_to_turn(space, files)
    return "everything was tried", everything_tried(space)


@lru_cache(maxsize=16)
def _mentioned(
    git: Git, commit: str, names: frozenset[str], without: tuple[str, ...], words: tuple[str, ...]
) -> frozenset[str]:
    """Return which of `names` the other source files of a commit mention, and the scripts that `words` name."""
    return mentioned(git, commit, names, without=without, also=words)
