"""Where an experiment stands, in a line or two: commit statuses and the one comment that is kept up to date."""

from __future__ import annotations

from collections.abc import Sequence

from bot.base.text import one_line
from bot.forge import DESCRIPTION_LIMIT, StatusState
from bot.rules.campaign import Campaign
from bot.rules.events import ExperimentDecided, RejectionMeasured, Reviewed
from bot.rules.experiment import Experiment
from bot.rules.human import needs_a_look
from bot.rules.proposal import Opinion
from bot.tell.document import Block, Document, Line, Paragraph, bullets, cut, paragraph, say
from bot.tell.numbers import count, number
from bot.tell.sentences import effect_line
from bot.tell.views.runs import own_runs

COMMENT = "status"  # the key of the one comment
_REASONS = 10

Stated = tuple[StatusState, str]


def opinion_of(review: Reviewed) -> Opinion | None:
    """Return what a reviewer said after the rules, as far as the ledger has it; None if the rules alone spoke."""
    if review.reviewer == "rules":
        return None
    if review.approved:
        return Opinion("approve", review.word or "nothing to object to", (), review.reviewer)
    return Opinion("revise" if review.revise else "reject", review.reasons[0], (), review.reviewer)


def scope_status(outside: Sequence[str]) -> Stated:
    """Return state and description of nocturne/scope; `outside` says what lies outside of it."""
    return _stated(not outside, outside[0] if outside else "only editable files changed")


def review_status(review: Reviewed, opinion: Opinion | None) -> Stated:
    """Return state and description of nocturne/review: what the rules object to, else the checker's word."""
    if review.revise:
        return "pending", one_line(f"asks for a revision: {'; '.join(review.reasons)}", DESCRIPTION_LIMIT)
    if not review.approved or opinion is None:
        said = "; ".join(review.reasons) or "rule-based review: nothing to object to"
        return _stated(review.approved, said)
    return _stated(True, f"{review.reviewer}: {opinion.reason}")


def reviewed_by(review: Reviewed) -> Line:
    """Return who had the last word on an experiment before it trained: the rules, or the model after them."""
    if review.reviewer.startswith("rules"):
        return say("scope and review by rule")
    return say("the review of {}", cut(review.reviewer, 160))


def review_statuses(review: Reviewed) -> dict[str, Stated]:
    """Return what nocturne/scope and nocturne/review say."""
    # What is out of scope is not read, so that it has no fingerprint.
    outside = review.reasons if not review.approved and not review.fingerprint else ()
    return {"scope": scope_status(outside), "review": review_status(review, opinion_of(review))}


def train_status(campaign: Campaign, experiment: Experiment, decision: ExperimentDecided) -> Stated:
    """Return state and description of nocturne/train once there is a verdict."""
    if decision.verdict in ("crashed", "lost", "rejected"):
        return _stated(False, decision.reason)
    return _stated(True, f"{count(len(own_runs(campaign, experiment)), 'run')} finished")


def verdict_statuses(campaign: Campaign, experiment: Experiment) -> dict[str, Stated]:
    """Return what the statuses nocturne/... say of a verdict; what was refused before training has but two."""
    decision, candidate, review = experiment.decision, experiment.candidate, experiment.review
    assert candidate is not None and decision is not None
    reviewed = {} if review is None else review_statuses(review)
    trained = bool(campaign.tries_of(candidate.commit)) and not experiment.drawn
    if decision.verdict == "rejected" and not trained and not (review is not None and review.approved):
        return reviewed
    return reviewed | {
        "train": train_status(campaign, experiment, decision),
        "score": score_status(campaign, decision),
    }


def score_status(campaign: Campaign, decision: ExperimentDecided) -> Stated:
    """Return state and description of nocturne/score once there is a verdict."""
    described = effect_line(campaign, decision, DESCRIPTION_LIMIT)
    return _stated(decision.land or decision.verdict == "improved", described or decision.reason)


def _stated(good: bool, description: str) -> Stated:
    return ("success" if good else "failure"), one_line(description, DESCRIPTION_LIMIT)


def looks_of(review: Reviewed | None) -> Document:
    """Return what a human must look at, by the rules; nothing if there is no such thing."""
    if review is None or not review.looks:
        return ()
    said = "To be looked at by a human before it is merged, for a process can listen to another one by it:"
    return (paragraph(said), *bullets([say("{}", cut(each, 300)) for each in review.looks]))


def held_comment(campaign: Campaign, experiment: Experiment, unread: int, *, on_github: bool) -> Document:
    """Return the comment on an experiment that is confirmed and waits for a reader of earlier merges."""
    assert experiment.decision is not None
    call = "/nocturne" if on_github else "nocturne"
    number, wait = "" if on_github else f" {experiment.number}", "waits" if unread == 1 else "wait"
    if needs_a_look(campaign, experiment):
        return (
            paragraph("**Confirmed, and held: a human must look at it first.**"),
            *looks_of(experiment.review),
            *_told(campaign, experiment.decision),
            paragraph(
                "If you have looked: `{} approve{}` merges it, measured again if others landed before it; `{} reject{}`"
                " ends it.", call, number, call, number,
            ),
        )  # fmt: skip
    return (
        paragraph(
            "**Confirmed, and held.** {} {} for a human to read, and no more may; `{} status` says what to read first."
            " Then this one is merged, measured again if others landed before it.",
            count(unread, "merge"), wait, call,
        ),
        *_told(campaign, experiment.decision),
        paragraph(
            "If you have read this one: `{} approve{}` merges it without waiting; `{} reject{}` ends it.",
            call, number, call, number,
        ),
    )  # fmt: skip


def closing_comment(campaign: Campaign, experiment: Experiment, *, on_github: bool = True) -> Document:
    """Return the comment on an experiment that has come to its end.

    Its figures stand in the pull request's text, and in its status `nocturne/score` if humans keep a text of their own.
    """
    decision, review = experiment.decision, experiment.review
    assert decision is not None
    parts: list[Block]
    if experiment.landed is not None:
        out = experiment.reverts
        what = decision.verdict if out is None else f"takes experiment {out} out"
        commit = experiment.landed.commit[:12]
        parts = [paragraph("**Merged** as `{}` into the campaign's branch: {}.", commit, what)]
    elif review is not None and not review.approved:
        reasons: list[Line] = [(cut(reason, 300),) for reason in review.reasons[:_REASONS]]
        if len(review.reasons) > _REASONS:
            reasons.append(say("and {} more", len(review.reasons) - _REASONS))
        parts = [paragraph("**Refused before training** by {}:", reviewed_by(review)), *bullets(reasons)]
        parts += rejection(experiment)
    else:
        why = () if decision.effect is not None else say(" {}.", cut(decision.reason.rstrip(". "), 300))
        parts = [paragraph("**Closed: {}.**{}", decision.verdict, why)]
    return (*parts, Paragraph(onward(experiment, on_github=on_github)))


def _told(campaign: Campaign, decision: ExperimentDecided) -> Document:
    """Return a verdict's figures and its lesson, as far as there are any."""
    said = (cut(effect_line(campaign, decision), 200), cut(decision.lesson, 600))
    return tuple(Paragraph((words,)) for words in said if one_line(words.text))


def rejection(experiment: Experiment) -> Document:
    """Return what came of training a rejected change once; nothing if it was not."""
    return () if experiment.measured is None else (paragraph(_rejection(experiment.measured)),)


def _rejection(measured: RejectionMeasured) -> str:
    said = {
        "better": "it looked better than its incumbent",
        "worse": "it looked worse than its incumbent",
        "unclear": "one run could not tell it from its incumbent",
        "crashed": "it crashed",
        "refused": "the evaluator refused it",
    }[measured.outcome]
    if measured.score is not None:
        against = "" if measured.against is None else f" against {number(measured.against)}"
        said += f" ({number(measured.score)}{against})"
    return f"Trained once all the same, to measure how well reviews judge: {said}. It stays rejected."


def onward(experiment: Experiment, *, on_github: bool) -> Line:
    """Return the sentence that says what a human can do next."""
    if not on_github:
        number = experiment.number
        revert = say("`nocturne revert {}` takes it out again; ", number) if experiment.landed else ()
        return (*revert, *say("`nocturne show {}` prints all that is known.", number))
    if experiment.decision is None:
        return say(
            "Comment `/nocturne status` to hear where the campaign stands, `/nocturne pause` to hold it,"
            " `/nocturne reject` to end this experiment."
        )
    if experiment.landed is not None:
        return say(
            "Comment `/nocturne approve` once you have read it, `/nocturne revert` to take it out again,"
            " `/nocturne explain` to have it explained."
        )
    return say("Comment `/nocturne explain` to have it explained, `/nocturne retry` to have it tried again.")
