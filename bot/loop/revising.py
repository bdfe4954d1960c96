"""What comes back to its proposer: a review asks for better, or it crashed. The answer is the next candidate."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.agents.protocol import Revision
from bot.loop.context import Context
from bot.loop.files import editable_files
from bot.loop.measure import require_commit
from bot.loop.proposing import as_recorded, ask, ensure_commit, kept_files
from bot.rules.campaign import Campaign, Experiment
from bot.rules.events import ProposalRevised
from bot.rules.outcome import decision_of


def revise(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Ask the proposer for a better version and write it down; without one the experiment is rejected."""
    review, proposal = experiment.review, experiment.proposal
    assert review is not None and proposal is not None and experiment.candidate is not None

    def question(files: Mapping[str, str]) -> Revision:
        return Revision(proposal.hypothesis, files, review.reasons, experiment.round)

    if come_back(context, campaign, experiment, question):
        return
    said = "; ".join((*review.reasons, "no better version came"))
    lesson = f"{experiment.title}: refused before training ({said})."
    rejected = decision_of(experiment, "rejected", reason=said, lesson=lesson)
    context.ledger.append(lambda c: [] if c.experiments[experiment.number].decision else [rejected])


def come_back(
    context: Context, campaign: Campaign, experiment: Experiment,
    question: Callable[[Mapping[str, str]], Revision],
) -> bool:  # fmt: skip
    """Ask the proposer for another version and write it down; False where none came.

    `question` says what is asked, given the files of the version that came back.
    """
    proposal, candidate = experiment.proposal, experiment.candidate
    assert proposal is not None and candidate is not None
    require_commit(context, experiment.parent)
    ensure_commit(context, experiment)
    files = editable_files(context, experiment.parent)
    now = editable_files(context, candidate.commit)
    sent_back = {path: now[path] for path in proposal.paths if path in now}
    better = ask(context, campaign, experiment, files, question(sent_back))
    if better is None or {**files, **better.files} == now:
        return False
    event = ProposalRevised(
        experiment=experiment.number,
        revision=experiment.revisions + 1,
        round=experiment.round,
        **as_recorded(better, files),
    )
    context.ledger.append(
        lambda c: [event] if c.experiments[experiment.number].revisions == experiment.revisions else [],
        lambda _: kept_files(experiment.number, event.revision, better),
    )
    return True
