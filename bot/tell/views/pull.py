"""An experiment's pull request as the ledger has it: what stands there, or would, where people read it."""

from __future__ import annotations

from bot.forge.labels import LABEL_ALL, LABELS
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.events import Reviewed
from bot.rules.experiment import Experiment
from bot.rules.human import unread
from bot.rules.proposal import Opinion
from bot.tell.document import Block, Code, Document, Part, heading, paragraph, say, table
from bot.tell.views.experiment import pull_title
from bot.tell.views.review import review_of
from bot.tell.views.status import (
    COMMENT,
    Stated,
    begun_comment,
    closing_comment,
    held_comment,
    review_status,
    scope_status,
    verdict_statuses,
)
from bot.tell.writers import markdown


def pull_request(
    campaign: Campaign, experiment: Experiment, diff: str, *, into: str, rule: Rule, on_github: bool
) -> Document:
    """Return state, statuses, comment and review of the pull request into the branch `into`; nothing if it has none."""
    pull = experiment.pull
    if pull is None:
        return ()
    over = experiment.finished_at is not None
    state = "merged" if experiment.landed is not None else "closed" if over else "open"
    labels = f"{LABEL_ALL}, {LABELS[experiment.verdict]}" if over and experiment.verdict else "none"
    rows: list[tuple[str, Part]] = [
        ("state", state), ("labels", labels), ("branch", f"{pull.branch} into {into}"),
        *((f"status nocturne/{what}", ", ".join(stated)) for what, stated in _statuses(campaign, experiment).items()),
    ]  # fmt: skip
    title = say("Pull request {}: {}", pull.pull, pull_title(experiment))
    parts: list[Block] = [heading(title, 2), table(("", ""), rows)]
    said = _comment(campaign, experiment, rule=rule, on_github=on_github)
    if said:
        parts += [paragraph("comment ({}):", COMMENT), Code(markdown.write(said), "markdown")]
    for review in experiment.reviews:  # of earlier rounds the lines are another diff's
        parts += _review(review, diff if review is experiment.review else "")
    return tuple(parts)


def _statuses(campaign: Campaign, experiment: Experiment) -> dict[str, Stated]:
    review = experiment.review
    if review is None:
        return {}
    # What is out of scope is not read, so that it has no fingerprint.
    outside = review.reasons if not review.approved and not review.fingerprint else ()
    found = {"scope": scope_status(outside), "review": review_status(review, opinion_of(review))}
    if experiment.decision is not None:
        found |= verdict_statuses(campaign, experiment)
    elif review.approved:
        found |= {"train": ("pending", "training"), "score": ("pending", "training")}
    return found


def _comment(campaign: Campaign, experiment: Experiment, *, rule: Rule, on_github: bool) -> Document:
    review = experiment.review
    if experiment.finished_at is not None:
        return closing_comment(campaign, experiment, on_github=on_github)
    if experiment.is_held:
        return held_comment(campaign, experiment, len(unread(campaign)), on_github=on_github)
    if review is not None and review.approved:
        return begun_comment(experiment, rule, review, opinion_of(review), on_github=on_github)
    return ()


def opinion_of(review: Reviewed) -> Opinion | None:
    """Return what a reviewer said after the rules, as far as the ledger has it; None if the rules alone spoke."""
    if review.reviewer == "rules":
        return None
    if review.approved:
        return Opinion("approve", review.word or "nothing to object to", (), review.reviewer)
    return Opinion("revise" if review.revise else "reject", review.reasons[0], (), review.reviewer)


def _review(review: Reviewed, diff: str) -> Document:
    opinion = opinion_of(review)
    made = review_of(review, opinion.answer, opinion.reason, diff) if opinion is not None else None
    if made is None:
        return ()
    written, _ = made
    parts: list[Block] = [paragraph("review ({}):", written.key), Code(written.body, "markdown")]
    for each in written.comments:
        parts += [paragraph("{}, line {}:", each.path, each.line), Code(each.body, "markdown")]
    return tuple(parts)
