"""An experiment explained in words: why it was tried, how it was judged, what became of it."""

from __future__ import annotations

from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.events import ExperimentDecided
from bot.rules.experiment import Experiment
from bot.rules.human import reverted_by
from bot.tell.document import Block, Details, Document, Heading, Line, cut, paragraph, paragraphs, say
from bot.tell.numbers import count, decimals
from bot.tell.sentences import decision_places
from bot.tell.views.experiment import idea_line
from bot.tell.views.runs import own_runs, runs_section
from bot.tell.views.verdict import cost, measured, planned_runs

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
        refused = cut("; ".join(review.reasons), 600)
        return say("Scope and review by rule refused it before a second of training: {}.", refused)
    if decision is None:
        mine, theirs = own_runs(campaign, experiment), campaign.runs_of(experiment.parent)
        return say(
            "Not yet: it has {}, its incumbent {}. One that is no better after its first run is discarded. One that"
            " looks better earns {}, each with a new seed, and must be better with {} confidence.",
            count(len(mine), "run"), count(len(theirs), "run"), planned_runs(rule), f"{rule.confidence:.0%}",
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
    if experiment.is_held:
        return say("It is confirmed, and waits until a human has read some of what was merged before.")
    return say("It is still open.")
