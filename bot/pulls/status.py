"""Where an experiment stands, in a line or two: commit statuses and the one comment that is kept up to date."""

from __future__ import annotations

from collections.abc import Sequence

from bot.agents.protocol import Opinion
from bot.forge import DESCRIPTION_LIMIT, StatusState
from bot.pulls.runs import own_runs
from bot.pulls.safe import prose
from bot.pulls.verdict import planned_runs
from bot.report.formats import count
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.events import ExperimentDecided, RejectionMeasured, Reviewed
from bot.rules.experiment import Experiment
from bot.text import one_line
from bot.words import effect_line, number

COMMENT = "status"  # the key of the one comment
_REASONS = 10

Stated = tuple[StatusState, str]


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


def train_status(campaign: Campaign, experiment: Experiment, decision: ExperimentDecided) -> Stated:
    """Return state and description of nocturne/train once there is a verdict."""
    if decision.verdict in ("crashed", "lost", "rejected"):
        return _stated(False, decision.reason)
    return _stated(True, f"{count(len(own_runs(campaign, experiment)), 'run')} finished")


def score_status(campaign: Campaign, decision: ExperimentDecided) -> Stated:
    """Return state and description of nocturne/score once there is a verdict."""
    described = effect_line(campaign, decision, DESCRIPTION_LIMIT)
    return _stated(decision.land or decision.verdict == "improved", described or decision.reason)


def _stated(good: bool, description: str) -> Stated:
    return ("success" if good else "failure"), one_line(description, DESCRIPTION_LIMIT)


def begun_comment(
    experiment: Experiment, rule: Rule, review: Reviewed, opinion: Opinion | None, *, on_github: bool = True
) -> str:
    """Return the comment on an experiment that may train, with what its checker said."""
    return _lines(
        f"**Training next.** Scope and review by rule have nothing against it; {planned_runs(rule)} against"
        f" `{experiment.parent[:7]}` will tell. The statuses of the commit say how far it is.",
        ""
        if opinion is None
        else f"Reviewed by {prose(opinion.reviewer, 160)}: {prose(opinion.reason, 600)}",
        onward(experiment, on_github=on_github),
    )


def held_comment(campaign: Campaign, experiment: Experiment, unread: int, *, on_github: bool) -> str:
    """Return the comment on an experiment that is confirmed and waits for a reader of earlier merges."""
    assert experiment.decision is not None
    call = "/nocturne" if on_github else "nocturne"
    number, wait = "" if on_github else f" {experiment.number}", "waits" if unread == 1 else "wait"
    return _lines(
        f"**Confirmed, and held.** {count(unread, 'merge')} {wait} for a human to read, and no more may;"
        f" `{call} status` says what to read first. Then this one is merged, measured again where others landed before"
        " it.",
        prose(effect_line(campaign, experiment.decision), 200),
        prose(experiment.decision.lesson, 600),
        f"Have you read this one: `{call} approve{number}` merges it without waiting; `{call} reject{number}` ends it.",
    )


def closing_comment(campaign: Campaign, experiment: Experiment, *, on_github: bool = True) -> str:
    """Return the comment on an experiment that has come to its end."""
    decision = experiment.decision
    assert decision is not None
    review = experiment.review
    if experiment.landed is not None:
        what = (
            decision.verdict if experiment.reverts is None else f"takes experiment {experiment.reverts} out"
        )
        head = f"**Merged** as `{experiment.landed.commit[:12]}` into the campaign's branch: {what}."
    elif review is not None and not review.approved:
        head = "**Refused before training:**"
        reasons = [f"- {prose(reason, 300)}" for reason in review.reasons[:_REASONS]]
        if len(review.reasons) > _REASONS:
            reasons.append(f"- and {len(review.reasons) - _REASONS} more")
        trained = rejection_words(experiment.measured)
        return _lines(head, "\n".join(reasons), trained, onward(experiment, on_github=on_github))
    else:
        head = f"**Closed: {decision.verdict}.**"
    described = effect_line(campaign, decision)
    return _lines(
        head,
        prose(described, 200) if described else "",
        prose(decision.lesson, 600),
        onward(experiment, on_github=on_github),
    )


def rejection_words(measured: RejectionMeasured | None) -> str:
    """Return what came of training a rejected change once; empty where that was not done."""
    if measured is None:
        return ""
    said = {
        "better": "it looked better than its incumbent",
        "worse": "it looked worse than its incumbent",
        "unclear": "one run could not tell it from its incumbent",
        "crashed": "it crashed",
        "refused": "the evaluator refused it",
    }[measured.outcome]
    scores = "" if measured.score is None else f" ({number(measured.score)}"
    if scores:
        scores += ")" if measured.against is None else f" against {number(measured.against)})"
    return f"Trained once all the same, to measure how well reviews judge: {said}{scores}. It stays rejected."


def onward(experiment: Experiment, *, on_github: bool) -> str:
    """Return the line that says what a human can do next."""
    if not on_github:
        revert = f"`nocturne revert {experiment.number}` takes it out again; " if experiment.landed else ""
        return f"{revert}`nocturne show {experiment.number}` prints all that is known."
    if experiment.decision is None:
        return (
            "Comment `/nocturne status` to hear where the campaign stands, `/nocturne pause` to hold it,"
            " `/nocturne reject` to end this experiment."
        )
    if experiment.landed is not None:
        return (
            "Comment `/nocturne approve` once you have read it, `/nocturne revert` to take it out again,"
            " `/nocturne explain` to have it explained."
        )
    return "Comment `/nocturne explain` to have it explained, `/nocturne retry` to have it tried again."


def _lines(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"
