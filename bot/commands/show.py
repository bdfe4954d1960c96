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
from bot.pulls.mended import mended_words
from bot.pulls.runs import runs_lines
from bot.pulls.verdict import verdict_lines
from bot.report.figures import experiment_json
from bot.rules.experiment import Experiment
from bot.terminal import plain
from bot.text import clean_diff


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
            print("\n".join(plain_lines(_conversations(session.context, experiment))))
            return 0
        lines = [*_head(experiment), *_pull(session.context.forge, experiment)]
        if experiment.candidate is not None:
            lines += ["", *runs_lines(state, experiment)]
            lines += ["", *verdict_lines(state, experiment, rule_of(session.context.config))]
            why = why_self_reported(session.context, experiment.candidate.commit)
            lines += ["", f"The score is {why}."] if why is not None else []
        lines += ["", *_diff(session.context, experiment)]
        print("\n".join(plain_lines(lines)))
    return 0


def plain_lines(lines: list[str]) -> list[str]:
    """Take control characters out, line by line."""
    return [plain(part.replace("\t", "    ")) for line in lines for part in line.split("\n")]


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


def _head(experiment: Experiment) -> list[str]:
    proposal = experiment.proposal
    state = experiment.verdict or "open"
    lines = [f"# Experiment {experiment.number}: {experiment.title}", "", f"verdict: {state}"]
    if proposal is not None:
        lines += [
            f"category: {proposal.category}",
            f"proposed by: {proposal.proposer}",
            f"why: {proposal.reason}",
            f"expected: {proposal.expected_effect}",
            f"risk: {proposal.risk}",
        ]
        if proposal.idea is not None:
            lines.append(f"follows: idea {proposal.idea}")
    lines += [f"{name}: {said}" for name, said in mended_words(experiment)]
    if experiment.candidate is not None:
        lines.append(f"commit: {experiment.candidate.commit} on {experiment.candidate.parent}")
    return lines


def _pull(forge: Forge, experiment: Experiment) -> list[str]:
    if experiment.pull is None or experiment.candidate is None:
        return []
    pull = forge.get_pull(experiment.pull.pull)
    lines = ["", f"## Pull request {pull.number}: {pull.title}", "", f"state: {pull.state}"]
    lines.append(f"labels: {', '.join(pull.labels) or 'none'}")
    lines.append(f"branch: {pull.head} into {pull.base}")
    lines += [
        f"status {status.context}: {status.state}, {status.description}"
        for status in forge.statuses(experiment.candidate.commit)
    ]
    for comment in forge.comments(pull.number):
        lines += ["", f"comment ({comment.key}):", comment.body.rstrip()]
    for review in forge.reviews(pull.number):
        lines += ["", f"review ({review.key}):", review.body.rstrip()]
        lines += [f"{each.path}, line {each.line}: {each.body}" for each in review.comments]
    return lines


def _diff(context: Context, experiment: Experiment) -> list[str]:
    if experiment.candidate is None:
        return []
    ensure_commit(context, experiment)
    return [
        "## Diff",
        "",
        clean_diff(context.git.diff(experiment.candidate.parent, experiment.candidate.commit)),
    ]
