"""An experiment's pull request as the ledger has it: what stands there, or would, where people read it."""

from __future__ import annotations

from bot.forge.labels import LABEL_ALL, LABELS
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.events import Reviewed
from bot.rules.experiment import Experiment
from bot.rules.human import unread
from bot.tell.document import Block, Code, Document, Part, heading, paragraph, say, table
from bot.tell.views.check import begun_report, report_of, sent_back_report
from bot.tell.views.experiment import pull_title
from bot.tell.views.review import review_of
from bot.tell.views.status import (
    COMMENT,
    Stated,
    closing_comment,
    held_comment,
    opinion_of,
    rejection,
    review_statuses,
    verdict_statuses,
)
from bot.tell.writers import markdown


def pull_request(
    campaign: Campaign, experiment: Experiment, diff: str, *, into: str, rule: Rule, on_github: bool
) -> Document:
    """Return state, report, comment and review of the pull request into the branch `into`; nothing if it has none."""
    pull = experiment.pull
    if pull is None:
        return ()
    over = experiment.finished_at is not None
    state = "merged" if experiment.landed is not None else "closed" if over else "open"
    labels = f"{LABEL_ALL}, {LABELS[experiment.verdict]}" if over and experiment.verdict else "none"
    rows: list[tuple[str, Part]] = [
        ("state", state), ("labels", labels), ("branch", f"{pull.branch} into {into}"),
        *((f"status nocturne/{what}", ", ".join(stated)) for what, stated in _statuses(campaign, experiment).items()),
        *((f"check {name}", said) for name, said in _checks(campaign, experiment, rule, on_github=on_github).items()),
    ]  # fmt: skip
    title = say("Pull request {}: {}", pull.pull, pull_title(experiment))
    parts: list[Block] = [heading(title, 2), table(("", ""), rows)]
    said = _comment(campaign, experiment, on_github=on_github)
    if said:
        parts += [paragraph("comment ({}):", COMMENT), Code(markdown.write(said), "markdown")]
    else:
        parts += rejection(experiment)
    for review in experiment.reviews:  # of earlier rounds the lines are another diff's
        parts += _review(review, diff if review is experiment.review else "")
    return tuple(parts)


def _statuses(campaign: Campaign, experiment: Experiment) -> dict[str, Stated]:
    """Return what the statuses say, or would if the campaign's branch required them."""
    if experiment.decision is not None and experiment.candidate is not None:
        return verdict_statuses(campaign, experiment)
    return {} if experiment.review is None else review_statuses(experiment.review)


def _checks(campaign: Campaign, experiment: Experiment, rule: Rule, *, on_github: bool) -> dict[str, str]:
    """Return what the report on the commit under test says, if there is one, by its name."""
    review = experiment.review
    if experiment.decision is not None and experiment.candidate is not None:
        report = report_of(campaign, experiment, rule)
    elif experiment.sent_back is not None:
        report = sent_back_report(experiment.sent_back)
    elif review is not None and review.approved:
        report = begun_report(experiment, rule, review, opinion_of(review), on_github=on_github)
    else:
        return {}
    return {report.name: f"{report.conclusion or 'in progress'}, {report.title}"}


def _comment(campaign: Campaign, experiment: Experiment, *, on_github: bool) -> Document:
    """Return the comment on one that waits for a reader, or did: of others the text says it all."""
    if experiment.finished_at is not None and experiment.held:
        return closing_comment(campaign, experiment, on_github=on_github)
    if experiment.is_held:
        return held_comment(campaign, experiment, len(unread(campaign)), on_github=on_github)
    return ()


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
