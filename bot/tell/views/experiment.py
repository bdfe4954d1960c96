"""An experiment told whole: its pull request in one reading, and in words why it was tried and what became of it."""

from __future__ import annotations

from bot.rules.campaign import Campaign
from bot.rules.claims import SOURCE
from bot.rules.decision import Rule
from bot.rules.events import ExperimentDecided
from bot.rules.experiment import Experiment
from bot.rules.human import needs_a_look, reverted_by
from bot.tell.document import (
    Block,
    Details,
    Document,
    Heading,
    Line,
    Paragraph,
    Words,
    cut,
    paragraph,
    paragraphs,
    say,
)
from bot.tell.figures.explanation import Explanation, explain
from bot.tell.figures.outer import changed_row
from bot.tell.figures.rows import curves_of, numbers_of
from bot.tell.numbers import count, decimals
from bot.tell.sentences import decision_places
from bot.tell.views.change import change
from bot.tell.views.refusal import refused_by
from bot.tell.views.runs import (
    chart,
    curves,
    own_runs,
    runs_notes,
    runs_section,
    runs_table,
    trained_at,
    workflow_run,
)
from bot.tell.views.status import onward, opinion_of, rejection, reviewed_by
from bot.tell.views.verdict import cost, costs, headline, measured, planned_runs
from bot.tell.writers import markdown

TITLE_LIMIT = 120


def pull_title(experiment: Experiment) -> str:
    """Return the hypothesis as it is, as far as a title can hold it."""
    return markdown.title(experiment.title, TITLE_LIMIT) or f"Experiment {experiment.number}"


def pull_body(
    campaign: Campaign, experiment: Experiment, diff: str, *, rule: Rule, on_github: bool = True
) -> Document:
    """Return the pull request's text: the verdict, what changes and why, the curve, and folded what it rests on.

    Every part is bounded, whatever its words are, so that the whole stays below GitHub's limit.
    """
    mine, against = curves_of(campaign, experiment)
    return (
        headline(campaign, experiment, rule),
        *rejection(experiment),
        *refused_by(experiment, on_github=on_github),
        *_what_and_why(experiment, explain(experiment, numbers_of(campaign, experiment))),
        *change(experiment, diff),
        *chart(mine.curve if mine else (), against.curve if against else ()),
        Details(f"Evidence: {_made(campaign, experiment)}", _folded(campaign, experiment)),
        Paragraph(onward(experiment, on_github=on_github)),
    )


def evidence(campaign: Campaign, experiment: Experiment) -> Document:
    """Return what an experiment's verdict rests on: runs, curve and cost."""
    mine, against = curves_of(campaign, experiment)
    return (
        *runs_section(campaign, experiment),
        *curves(mine.curve if mine else (), against.curve if against else ()),
        *cost(campaign, experiment),
    )


def history(experiment: Experiment) -> list[tuple[str, str]]:
    """Return how a change came to be what it is, as labels and words: what a mechanism of the outer loop changed about
    it, revisions, and repairs after crashes."""
    said = []
    steered = changed_row(experiment)
    if steered is not None:
        said.append(("steered by", f"{steered.mechanism}, instead of: {steered.instead} ({steered.why})"))
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
    home = "from an imported log" if given.source.startswith(SOURCE) else "from the command line"
    return say("idea {} {}{}: {}", number, issue or home, by, cut(given.text, 300))


def _what_and_why(experiment: Experiment, said: Explanation) -> Document:
    assert experiment.proposal is not None
    expected = experiment.proposal.expected_effect.rstrip(". ")
    first, *rest = paragraphs(said.why) or [Paragraph(())]
    assert isinstance(first, Paragraph)
    return (
        paragraph(
            "**What changes.** {} **Expected.** {}. **What it might break.** {}",
            cut(said.changed, 600), cut(expected or "Nothing was said", 400), cut(said.risk, 600),
        ),
        paragraph("**Why it may work.** {}", first.line),
        *rest,
    )  # fmt: skip


def _made(campaign: Campaign, experiment: Experiment) -> str:
    decision = experiment.decision
    if decision is not None and decision.candidate_runs:  # those that the verdict in the first line rests on
        return f"{count(decision.candidate_runs, 'run')} against {decision.incumbent_runs:,} of the incumbent"
    mine = len(own_runs(campaign, experiment))
    return f"{count(mine, 'run')} against {len(campaign.tries_of(experiment.parent)):,} of the incumbent"


def _folded(campaign: Campaign, experiment: Experiment) -> Document:
    """Return the runs in a line for each side, where the change is from, and what it cost."""
    proposal = experiment.proposal
    assert proposal is not None
    said = say(
        "Experiment {} on `{}` ({}), proposed by {}. ", experiment.number, experiment.parent[:7],
        cut(proposal.category, 80), cut(proposal.proposer, 200),
    )  # fmt: skip
    for name, words in history(experiment):
        said += say("{}: {}. ", name.capitalize(), cut(words, 400))
    if (trained := trained_at(campaign, experiment)) != "":
        said += (*say("Trained by "), workflow_run(trained), *say(". "))
    if experiment.review is not None and (opinion := opinion_of(experiment.review)) is not None:
        said += say("Reviewed by {}: {}. ", cut(opinion.reviewer, 160), cut(opinion.reason.rstrip(". "), 600))
    if experiment.carried:
        said += say("Round {}: measured again on a newer incumbent. ", experiment.round)
    if experiment.retries is not None:
        said += say("It tries experiment {} again. ", experiment.retries)
    if proposal.idea is not None:
        said += (*say("It follows "), *idea_line(campaign, proposal.idea), *say(". "))
    said += runs_notes(campaign, experiment)
    paid = costs(campaign, experiment)
    for place, part in enumerate(paid):
        said += say("{}{}", "; " if place else " Cost: ", part)
    return (*runs_table(campaign, experiment), Paragraph((*said, *(say(".") if paid else ()))))


_MEANINGS = {
    "improved": "It has earned its place: exactly the commit that was measured is merged.",
    "discarded": "Most ideas end so; the machine's time is better spent on the next one.",
    "inconclusive": "The runs allowed do not tell; the idea may come back together with others.",
    "crashed": "There is no score to compare.",
    "rejected": "No score of it counts.",
    "lost": "It came to no end.",
}


def explanation(campaign: Campaign, experiment: Experiment, rule: Rule) -> Document:
    """Return the explanation of one experiment."""
    title = Heading(say("Experiment {}: {}", experiment.number, cut(experiment.title, 300)), 3)
    proposal, decision = experiment.proposal, experiment.decision
    if proposal is None:
        return title, paragraph("It has its number, and no proposal yet.")
    parts: list[Block] = [title, paragraph("**Why it was tried.**"), *paragraphs(proposal.reason)]
    if proposal.idea is not None:
        parts.append(paragraph("It follows {}", idea_line(campaign, proposal.idea)))
    if proposal.expected_effect:
        parts.append(paragraph("Expected: {}", cut(proposal.expected_effect, 400)))
    parts.append(paragraph("**How it was judged.** {}", _judged(campaign, experiment, rule)))
    if decision is not None and decision.lesson:
        parts.append(paragraph("**What it teaches.** {}", cut(decision.lesson, 600)))
    parts.append(paragraph("**What became of it.** {}", _became(campaign, experiment)))
    folded = (*runs_section(campaign, experiment), *cost(campaign, experiment))
    return (*parts, Details("Runs and cost", folded))


def _judged(campaign: Campaign, experiment: Experiment, rule: Rule) -> Line:
    review, decision = experiment.review, experiment.decision
    if review is not None and not review.approved:
        refused = cut("; ".join(review.reasons).rstrip(". "), 600)
        return say("It was refused before a second of training by {}: {}.", reviewed_by(review), refused)
    if decision is None:
        mine, theirs = own_runs(campaign, experiment), campaign.runs_of(experiment.parent)
        return say(
            "Not yet: it has {}, its incumbent {}. It is given up below {} sigma (the deviation of one run). One that"
            " looks better earns {}, each with a new seed, and merges from {} sigma on after one run, from {} on after"
            " two.",
            count(len(mine), "run"), count(len(theirs), "run"), f"{rule.give_up(1):g}", planned_runs(rule),
            f"{rule.accept(1):g}", f"{rule.accept(2):g}",
        )  # fmt: skip
    reason = cut(decision.reason.rstrip(". "), 400)
    verdict = say("Hence **{}**: {}. {}", decision.verdict, reason, _MEANINGS[decision.verdict])
    return (*_compared(campaign, experiment, decision), *verdict)


def _compared(campaign: Campaign, experiment: Experiment, decision: ExperimentDecided) -> Line:
    """Say what was measured and how sure it is; nothing if nothing was."""
    if decision.effect is None or decision.score is None or decision.against is None:
        return ()
    digits = decision_places(decision)
    said = say(
        "It came to {} ({}), its incumbent `{}` to {} ({}); the difference is {}. ",
        decimals(decision.score, digits), count(decision.candidate_runs, "run"), experiment.parent[:7],
        decimals(decision.against, digits), count(decision.incumbent_runs, "run"), measured(campaign, experiment),
    )  # fmt: skip
    if decision.sigma is not None:
        said += say("Runs of one and the same commit scatter by about {}. ", f"{decision.sigma:.2g}")
    return said


def _became(campaign: Campaign, experiment: Experiment) -> Line:
    reverted = reverted_by(campaign, experiment.number)
    if reverted is not None:
        return say("It was merged, and experiment {} took it out again.", reverted)
    if experiment.landed is not None:
        waits = experiment.number in campaign.reverts_waiting
        more = " A human has read it." if experiment.number in campaign.read else ""
        more += " The next experiment takes it out again." if waits else ""
        return say("It is merged as `{}`.{}", experiment.landed.commit[:12], more)
    if experiment.finished_at is not None:
        return say("Its pull request is closed; its commits stay there.")
    if experiment.is_held and needs_a_look(campaign, experiment):
        return say("It is confirmed, and waits until a human has looked at it.")
    if experiment.is_held:
        return say("It is confirmed, and waits until a human has read some of what was merged before.")
    return say("It is still open.")
