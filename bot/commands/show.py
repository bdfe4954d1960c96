"""`nocturne show N`: one experiment, whole: proposal, diff, pull request, runs, verdict."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from bot.agents.claude.transcripts import conversations_of
from bot.commands.session import campaign_session
from bot.errors import UserError
from bot.forge import Forge
from bot.loop.commits import ensure_commit
from bot.loop.context import Context
from bot.loop.render import figures_of
from bot.loop.settings import rule_of, why_self_reported
from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from bot.tell.document import Block, Code, Document, Part, heading, paragraph, say, table
from bot.tell.figures.campaign import experiment_json
from bot.tell.views.experiment import evidence, history, idea_line
from bot.tell.views.verdict import verdict
from bot.tell.writers import terminal


def run(
    *, repo: Path, campaign: str | None, number: int, conversation: bool = False, as_json: bool = False
) -> int:
    with campaign_session(repo, campaign, quiet=as_json) as session:
        state = session.context.ledger.refresh()
        experiment = state.experiments.get(number)
        if experiment is None:
            last = max(state.experiments, default=0)
            raise UserError(f"there is no experiment {number}: they run from 1 to {last}")
        if as_json:
            rows = {row.number: row for row in figures_of(session.context, state).rows}
            runs = [asdict(run) for run in state.runs_for(number)]
            print(json.dumps({**experiment_json(rows[number]), "all_runs": runs}, indent=2))
            return 0
        if conversation:
            terminal.show(tuple(Code(text) for text in _conversations(session.context, experiment)))
        else:
            terminal.show(_whole(session.context, state, experiment))
    return 0


def _whole(context: Context, campaign: Campaign, experiment: Experiment) -> Document:
    parts: list[Block] = [*_head(campaign, experiment), *_pull(context.forge, experiment)]
    if experiment.candidate is not None:
        parts += [*evidence(campaign, experiment), *verdict(campaign, experiment, rule_of(context.config))]
        why = why_self_reported(context, experiment.candidate.commit)
        parts += [paragraph("The score is {}.", why)] if why is not None else []
        ensure_commit(context, experiment)
        diff = context.git.diff(experiment.candidate.parent, experiment.candidate.commit)
        parts += [heading("Diff", 2), Code(diff, "diff")]
    return tuple(parts)


def _conversations(context: Context, experiment: Experiment) -> list[str]:
    """Return what was said about an experiment, as far as this clone has it."""
    found = conversations_of(context.git.common_dir, context.name, experiment.number)
    if not found:
        by = f", proposed by {experiment.proposal.proposer}," if experiment.proposal else ""
        raise UserError(
            f"no conversation on experiment {experiment.number}{by} is kept in this clone: those of workflow runs"
            f" are artifacts, conversations-{experiment.number}-1"
        )
    return found


def _head(campaign: Campaign, experiment: Experiment) -> Document:
    proposal, candidate = experiment.proposal, experiment.candidate
    rows: list[tuple[str, Part]] = [("verdict", experiment.verdict or "open")]
    if proposal is not None:
        rows += [
            ("category", proposal.category),
            ("proposed by", proposal.proposer),
            ("why", proposal.reason),
            ("expected", proposal.expected_effect),
            ("risk", proposal.risk),
        ]
        if proposal.idea is not None:
            rows.append(("follows", idea_line(campaign, proposal.idea)))
    rows += history(experiment)
    if candidate is not None:
        rows.append(("commit", f"{candidate.commit} on {candidate.parent}"))
    title = heading(say("Experiment {}: {}", experiment.number, experiment.title), 1)
    return title, table(("", ""), rows)


def _pull(forge: Forge, experiment: Experiment) -> Document:
    if experiment.pull is None or experiment.candidate is None:
        return ()
    pull = forge.get_pull(experiment.pull.pull)
    rows = [("state", pull.state), ("labels", ", ".join(pull.labels) or "none")]
    rows.append(("branch", f"{pull.head} into {pull.base}"))
    rows += [
        (f"status {status.context}", f"{status.state}, {status.description}")
        for status in forge.statuses(experiment.candidate.commit)
    ]
    parts: list[Block] = [
        heading(say("Pull request {}: {}", pull.number, pull.title), 2), table(("", ""), rows)
    ]  # fmt: skip
    for comment in forge.comments(pull.number):
        parts += [paragraph("comment ({}):", comment.key), Code(comment.body, "markdown")]
    for review in forge.reviews(pull.number):
        parts += [paragraph("review ({}):", review.key), Code(review.body, "markdown")]
        for each in review.comments:
            parts += [paragraph("{}, line {}:", each.path, each.line), Code(each.body, "markdown")]
    return tuple(parts)
