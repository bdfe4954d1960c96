"""One experiment as `nocturne show` tells it: the proposal, what became of it, the runs and the change."""

from __future__ import annotations

from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.experiment import Experiment
from bot.tell.document import Code, Document, Part, heading, paragraph, say, table
from bot.tell.views.experiment import evidence, history, idea_line
from bot.tell.views.pull import pull_request
from bot.tell.views.verdict import verdict


def whole(
    campaign: Campaign, experiment: Experiment, diff: str, *, into: str, rule: Rule, on_github: bool,
    self_reported: str | None = None,
) -> Document:  # fmt: skip
    """Return all that is known of an experiment. `into` is the campaign's branch, `diff` its change (empty before there
    is a commit), `self_reported` why nobody else measured its score, if that is so."""
    head = _head(campaign, experiment)
    if experiment.candidate is None:
        return head
    return (
        *head,
        *pull_request(campaign, experiment, diff, into=into, rule=rule, on_github=on_github),
        *evidence(campaign, experiment),
        *verdict(campaign, experiment, rule),
        *([paragraph("The score is {}.", self_reported)] if self_reported is not None else []),
        heading("Diff", 2),
        Code(diff, "diff"),
    )


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
