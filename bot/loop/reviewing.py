"""The checker's part of the review, after the rules: what it is shown, and how its word is written down."""

from __future__ import annotations

from collections.abc import Sequence

from bot.agents.protocol import Case, Opinion
from bot.loop.context import Context
from bot.loop.files import editable_files
from bot.loop.library import CampaignLibrary
from bot.loop.proposing import ensure_commit
from bot.rules.campaign import Campaign, Experiment
from bot.rules.events import Reviewed
from bot.text import clean, one_line

MAX_REVISIONS = 1
_REMARKS = 10
_REASON = 600


def ask_reviewer(context: Context, campaign: Campaign, experiment: Experiment) -> Opinion | None:
    """Return what the reviewer says of the candidate; None where the rules' word is enough.

    That is where no reviewer is configured, where a human asked for the change, and where the same change was
    only put on a newer incumbent: it was reviewed before.
    """
    candidate, proposal = experiment.candidate, experiment.proposal
    assert candidate is not None and proposal is not None
    if context.reviewer is None or experiment.asked_for or experiment.carried_over:
        return None
    program = context.git.read_blob(candidate.parent, context.config.program) or b""
    return context.reviewer.review(
        Case(
            number=experiment.number,
            hypothesis=proposal.hypothesis,
            category=proposal.category,
            base=editable_files(context, candidate.parent),
            proposed=editable_files(context, candidate.commit),
            diff=context.git.diff(candidate.parent, candidate.commit),
            program=program.decode(errors="replace"),
            library=CampaignLibrary(context, campaign, experiment, look_at=ensure_commit),
            may_revise=_may_revise(experiment),
        )
    )


def reviewed_event(
    experiment: Experiment, reasons: Sequence[str], fingerprint: str, opinion: Opinion | None
) -> Reviewed:
    """Return the event of a review: the rules' objections, else the reviewer's opinion."""
    assert experiment.candidate is not None
    number, round = experiment.number, experiment.candidate.round
    if opinion is None:
        return Reviewed(number, round, not reasons, tuple(reasons), fingerprint)
    remarks = tuple(
        {"path": each.path, "line": str(each.line), "text": one_line(each.text, 300)}
        for each in opinion.remarks[:_REMARKS]
    )
    approved = opinion.answer == "approve"
    said = () if approved else (one_line(clean(opinion.reason), _REASON), *map(remark_text, remarks))
    revise = opinion.answer == "revise" and _may_revise(experiment)
    return Reviewed(
        number, round, approved, said, fingerprint,
        reviewer=opinion.reviewer, revise=revise, remarks=remarks,
    )  # fmt: skip


def _may_revise(experiment: Experiment) -> bool:
    """Whether a review may still ask for better; what was mended after a crash does not count."""
    return experiment.revisions - experiment.repairs < MAX_REVISIONS


def remark_text(remark: dict[str, str]) -> str:
    """Return a remark on a line as a sentence."""
    return f"{remark['path']} line {remark['line']}: {remark['text']}"
