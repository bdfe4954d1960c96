"""The stage between a review that asks for better and the next candidate: the proposer mends its change."""

from __future__ import annotations

from bot.agents.novelty import edit_beside
from bot.agents.protocol import Revision
from bot.loop.desk import Desk
from bot.loop.proposing import ask, editable_files, ensure_commit, kept_files, require_commit
from bot.rules.campaign import Campaign, Experiment
from bot.rules.events import ProposalRevised
from bot.rules.outcome import decision_of


def revise(desk: Desk, campaign: Campaign, experiment: Experiment) -> None:
    """Ask the proposer for a better version and write it down; without one the experiment is rejected."""
    review, proposal = experiment.review, experiment.proposal
    assert review is not None and proposal is not None and experiment.candidate is not None
    require_commit(desk, experiment.parent)
    ensure_commit(desk, experiment)
    files = editable_files(desk, experiment.parent)
    now = editable_files(desk, experiment.candidate.commit)
    sent_back = {path: now[path] for path in proposal.paths if path in now}
    better = ask(
        desk, campaign, experiment, files,
        Revision(proposal.hypothesis, sent_back, review.reasons, experiment.round),
    )  # fmt: skip
    if better is None or {**files, **better.files} == now:
        said = "; ".join((*review.reasons, "no better version came"))
        lesson = f"{experiment.title}: refused before training ({said})."
        rejected = decision_of(experiment, "rejected", reason=said, lesson=lesson)
        desk.ledger.append(lambda c: [] if c.experiments[experiment.number].decision else [rejected])
        return
    event = ProposalRevised(
        experiment=experiment.number,
        revision=experiment.revisions + 1,
        round=experiment.round,
        hypothesis=better.hypothesis,
        category=better.category,
        reason=better.reason,
        expected_effect=better.expected_effect,
        risk=better.risk,
        proposer=better.proposer,
        changes=tuple({k: str(v) for k, v in vars(change).items()} for change in better.changes),
        paths=tuple(sorted(better.files)),
        edit=edit_beside(files, better.files, better.changes),
    )
    desk.ledger.append(
        lambda c: [event] if c.experiments[experiment.number].revisions == experiment.revisions else [],
        lambda _: kept_files(experiment.number, event.revision, better),
    )
