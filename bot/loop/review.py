"""The stage before a second of training: scope and rules, then the reviewer's word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.agents.novelty import twin
from bot.agents.protocol import Case
from bot.agents.review import fingerprint, review
from bot.base.text import clean, one_line
from bot.errors import UserError
from bot.loop.commits import editable_files, ensure_commit, objections
from bot.loop.context import Context, Done
from bot.loop.ideas import tries_of_its_idea
from bot.loop.library import CampaignLibrary
from bot.loop.packages import unmet, wished_of, wishes
from bot.loop.pulls import on_github, put_report, renew, supersede
from bot.loop.settings import rule_of
from bot.rules.campaign import Campaign
from bot.rules.decision import decision_of
from bot.rules.events import Event, PackageWished, RejectionDrawn, Reviewed
from bot.rules.experiment import Experiment
from bot.rules.proposal import Change, Opinion
from bot.rules.rejections import is_drawn
from bot.tell.views.check import begun_report
from bot.tell.views.review import review_of

MAX_REVISIONS = 1
_REMARKS = 10
_REASON = 600


def check(context: Context, campaign: Campaign, experiment: Experiment) -> Done:
    """Scope and review by rule, before a second of training, and say so on the pull request."""
    assert experiment.candidate is not None and experiment.pull is not None
    candidate = experiment.candidate
    if candidate.round > 1:
        renew(context, campaign, experiment)
        supersede(context, experiment)
        if experiment.number in context.ledger.known().refused:
            return Done()
    ensure_commit(context, experiment)
    named = experiment.proposal.paths if experiment.proposal else ()
    outside = objections(context, campaign, candidate.commit, parent=candidate.parent, named=named)
    # What is out of scope is not read: a review of it would say nothing, and must not be found "tried" later.
    reasons, known_by, wished, looks = (
        (outside, "", [], ()) if outside else _review(context, campaign, experiment)
    )
    opinion = None if reasons else ask_reviewer(context, campaign, experiment)
    reviewed = replace(reviewed_event(experiment, reasons, known_by, opinion), looks=looks)
    if reviewed.approved and context.forge.shows:  # what is refused is closed at once, and says it then
        said = begun_report(
            experiment, rule_of(context.config, campaign), reviewed, opinion, apart=not context.may_run,
            link=context.where, on_github=on_github(context),
        )  # fmt: skip
        is_new = experiment.claimed_by == context.holder  # nobody else has had it in hand
        reviewed = replace(reviewed, check=put_report(context, experiment, said, is_new))
    if opinion is not None and context.forge.shows:
        _remark(context, experiment, reviewed, opinion)
    events: list[Event] = [*wished, reviewed]
    if not reviewed.approved and not reviewed.revise:
        why = "; ".join(reviewed.reasons)
        lesson = f"{experiment.title}: refused before training ({why})."
        events += [decision_of(experiment, "rejected", reason=why, lesson=lesson), *draw(context, reviewed)]
    return Done(events)


def _remark(context: Context, experiment: Experiment, reviewed: Reviewed, opinion: Opinion) -> None:
    """Put the checker's remarks on the lines that they are about, where there are any."""
    assert experiment.candidate is not None and experiment.pull is not None
    candidate = experiment.candidate
    diff = context.git.diff(candidate.parent, candidate.commit)
    made = review_of(reviewed, opinion.answer, opinion.reason, diff)
    if made is not None:
        review, instead = made
        context.forge.review_pull(experiment.pull.pull, candidate.commit, review, instead=instead)


def _review(
    context: Context, campaign: Campaign, experiment: Experiment
) -> tuple[tuple[str, ...], str, list[PackageWished], tuple[str, ...]]:
    """Return what the rule-based review objects to, the fingerprint of what it read, what is wished for, and what a
    human must look at."""
    candidate = experiment.candidate
    assert candidate is not None
    base = editable_files(context, candidate.parent)
    try:
        proposed = editable_files(context, candidate.commit)
    except UserError as error:
        return (str(error),), "", [], ()  # the candidate's fault: it must not stop the loop
    tried = {
        e.review.fingerprint: e.number
        for e in campaign.experiments.values()
        if e.review is not None and e.number != experiment.number
    }
    if experiment.asked_for or experiment.carried_over:
        tried = {}
    for other in tries_of_its_idea(campaign, experiment):
        tried = {known: number for known, number in tried.items() if number != other}
    outcome = review(editable=context.config.editable, base=base, proposed=proposed, tried=tried)
    wished = {} if experiment.asked_for else wished_of(context, experiment, base, proposed)
    reasons = (*outcome.reasons, *unmet(wished)) or tried_here(campaign, experiment)
    return reasons, fingerprint(proposed), wishes(experiment, wished), outcome.looks


def ask_reviewer(context: Context, campaign: Campaign, experiment: Experiment) -> Opinion | None:
    """Return what the reviewer says of the candidate; None if the rules' word is enough.

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
        number, round, approved, said, fingerprint, reviewer=opinion.reviewer, revise=revise, remarks=remarks,
        word=one_line(clean(opinion.reason), _REASON) if approved else "",
    )  # fmt: skip


def _may_revise(experiment: Experiment) -> bool:
    """Whether a review may still ask for better; what was mended after a crash does not count."""
    return experiment.revisions - experiment.repairs < MAX_REVISIONS


def remark_text(remark: dict[str, str]) -> str:
    """Return a remark on a line as a sentence."""
    return f"{remark['path']} line {remark['line']}: {remark['text']}"


def tried_here(campaign: Campaign, experiment: Experiment) -> tuple[str, ...]:
    """Return the objection to an experiment that sets what another one set on the same incumbent, if any.

    Only what a model or a human proposes is held to it: the offline search keeps its own account of what it
    tried, and may try near values on purpose. What was lost was never measured, and may come again; so may
    what was only carried to a newer incumbent, and what a human wants tried again.
    """
    proposal, candidate = experiment.proposal, experiment.candidate
    if proposal is None or candidate is None or proposal.proposer.startswith("offline"):
        return ()
    if experiment.asked_for or experiment.carried_over:
        return ()
    others = [
        past
        for past in campaign.history()
        if past.number != experiment.number
        and past.number not in tries_of_its_idea(campaign, experiment)
        and past.verdict != "lost"
        and campaign.experiments[past.number].parent == candidate.parent
    ]
    changes = tuple(Change(**change) for change in proposal.changes)
    found = twin(changes, proposal.edit, others)
    return (found.why,) if found else ()


def draw(context: Context, reviewed: Reviewed) -> list[RejectionDrawn]:
    """Return the event that has a rejection measured; nothing for most of them, and where no model rejected."""
    final = not reviewed.approved and not reviewed.revise
    if not final or context.config.reviewer == "rules" or reviewed.reviewer.startswith("rules"):
        return []
    config, number = context.config, reviewed.experiment
    drawn = is_drawn(context.name, config.seed, number, config.audit_share)
    return [RejectionDrawn(number)] if drawn else []
