"""The pull request of an experiment: its title, and the text that tells all of it in one reading."""

from __future__ import annotations

from bot.base.text import one_line
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.experiment import Experiment
from bot.tell.document import (
    Document,
    Line,
    Paragraph,
    Words,
    cut,
    heading,
    paragraph,
    paragraphs,
    say,
    table,
)
from bot.tell.figures.explanation import Explanation
from bot.tell.figures.rows import row_of
from bot.tell.numbers import count
from bot.tell.views.change import change
from bot.tell.views.curve import curves
from bot.tell.views.runs import runs_section
from bot.tell.views.status import onward
from bot.tell.views.verdict import cost, measured, verdict
from bot.tell.writers import markdown

TITLE_LIMIT = 120


def pull_title(experiment: Experiment) -> str:
    """Return the hypothesis as it is, as far as a title can hold it."""
    return markdown.title(experiment.title, TITLE_LIMIT) or f"Experiment {experiment.number}"


def pull_body(
    campaign: Campaign, experiment: Experiment, diff: str, *, rule: Rule, on_github: bool = True
) -> Document:
    """Return the pull request's text: why, what changes, what was measured, what it means, how to go on.

    Every part is bounded, whatever its words are, so that the whole stays below GitHub's limit.
    """
    row = row_of(campaign, experiment, "")
    return (
        *_why(campaign, experiment),
        *_in_plain_words(row.explanation),
        *change(experiment, diff),
        *verdict(campaign, experiment, rule),
        *evidence(campaign, experiment),
        heading("How to go on"),
        Paragraph(onward(experiment, on_github=on_github)),
    )


def evidence(campaign: Campaign, experiment: Experiment) -> Document:
    """Return what an experiment's verdict rests on: runs, curve and cost."""
    row = row_of(campaign, experiment, "")
    against = campaign.runs.get(row.curve_against or "")
    return (
        *runs_section(campaign, experiment),
        *curves(row.curve, against.curve if against else ()),
        *cost(campaign, experiment),
    )


def history(experiment: Experiment) -> list[tuple[str, str]]:
    """Return how a change came to be what it is, as labels and words: revisions, and repairs after crashes."""
    said = []
    asked = experiment.revisions - experiment.repairs
    if asked:
        said.append(("revised", f"{count(asked, 'time')}, as its review asked"))
    crashes = [crash.reason for crash in experiment.crashes if crash.round < experiment.round]
    if crashes:
        said.append(("repaired", f"{count(len(crashes), 'time')}, after a crash ({'; '.join(crashes)})"))
    if experiment.sent_back is not None:
        said.append(("repair", f"asked for, it crashed ({experiment.sent_back.reason})"))
    return said


def idea_line(campaign: Campaign, number: int) -> Line:
    """Return where an idea is from, with a reference that GitHub links both ways, and its words."""
    given = campaign.ideas.known[number].given
    issue = say("from {}", Words(f"#{given.issue}", "issue")) if given.issue is not None else None
    by = say(" by {}", cut(given.giver, 40)) if given.giver else ()
    return say("idea {} {}{}: {}", number, issue or "from the command line", by, cut(given.text, 300))


def _in_plain_words(said: Explanation) -> Document:
    first, *rest = paragraphs(said.why) or [Paragraph(())]
    assert isinstance(first, Paragraph)
    return (
        heading("In plain words"),
        paragraph("**What changes.** {}", cut(said.changed, 600)),
        paragraph("**Why it may work.** {}", first.line),
        *rest,
        paragraph("**What it might break.** {}", cut(said.risk, 600)),
    )


def _why(campaign: Campaign, experiment: Experiment) -> Document:
    proposal = experiment.proposal
    assert proposal is not None
    rows: list[tuple[str, Words | Line | str]] = [
        ("category", cut(proposal.category, 80)),
        ("expected", cut(proposal.expected_effect, 400)),
        ("measured", measured(campaign, experiment)),
        ("proposed by", cut(proposal.proposer, 200)),
        ("experiment", say("{} on `{}`", experiment.number, experiment.parent[:7])),
        *((name, cut(said, 400)) for name, said in history(experiment)),
    ]
    if experiment.carried:
        rows.append(("round", f"{experiment.round}: measured again on a newer incumbent"))
    if experiment.reverts is not None:
        rows.append(("takes out", f"experiment {experiment.reverts}"))
    if proposal.idea is not None:
        rows.append(("follows", idea_line(campaign, proposal.idea)))
    if experiment.retries is not None:
        rows.append(("tries again", f"experiment {experiment.retries}"))
    hypothesis = proposal.hypothesis if one_line(proposal.hypothesis) else pull_title(experiment)
    return (paragraph("**{}**", cut(hypothesis, 300)), table(("", ""), rows))
