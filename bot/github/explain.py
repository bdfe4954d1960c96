"""An experiment explained in words: why it was tried, how it was judged, what became of it."""

from __future__ import annotations

from bot.pulls.idea import idea_words
from bot.pulls.runs import own_runs, runs_lines
from bot.pulls.safe import paragraphs, prose
from bot.pulls.verdict import cost_lines, measured, planned_runs
from bot.report.formats import count
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.events import ExperimentDecided
from bot.rules.experiment import Experiment
from bot.rules.human import reverted_by
from bot.words import decimals, decision_places

_MEANINGS = {
    "improved": "It has earned its place: exactly the commit that was measured is merged.",
    "discarded": "Most ideas end so; the machine's time is better spent on the next one.",
    "inconclusive": "The runs allowed do not tell; the idea may come back together with others.",
    "crashed": "There is no score to compare.",
    "rejected": "No score of it counts.",
    "lost": "It came to no end.",
}


def explanation(campaign: Campaign, experiment: Experiment, rule: Rule) -> str:
    """Return the explanation of one experiment as Markdown. All words of agents in it are escaped."""
    parts = [f"### Experiment {experiment.number}: {prose(experiment.title, 300)}"]
    proposal = experiment.proposal
    if proposal is None:
        return f"{parts[0]}\n\nIt has its number, and no proposal yet."
    parts += ["**Why it was tried.**", *(line for line in paragraphs(proposal.reason) if line)]
    if proposal.idea is not None:
        parts.append(f"It follows {idea_words(campaign, proposal.idea)}")
    if proposal.expected_effect:
        parts.append(f"Expected: {prose(proposal.expected_effect, 400)}")
    parts.append(f"**How it was judged.** {_judged(campaign, experiment, rule)}")
    decision = experiment.decision
    if decision is not None and decision.lesson:
        parts.append(f"**What it teaches.** {prose(decision.lesson, 600)}")
    parts.append(f"**What became of it.** {_became(campaign, experiment)}")
    details = [*runs_lines(campaign, experiment), "", *cost_lines(campaign, experiment)]
    parts.append("<details><summary>Runs and cost</summary>\n\n" + "\n".join(details) + "\n\n</details>")
    return "\n\n".join(parts)


def _judged(campaign: Campaign, experiment: Experiment, rule: Rule) -> str:
    review, decision = experiment.review, experiment.decision
    if review is not None and not review.approved:
        said = "; ".join(review.reasons)
        return f"Scope and review by rule refused it before a second of training: {prose(said, 600)}."
    if decision is None:
        mine, theirs = own_runs(campaign, experiment), campaign.runs_of(experiment.parent)
        return (
            f"Not yet: it has {count(len(mine), 'run')}, its incumbent {count(len(theirs), 'run')}. One that is no"
            f" better after its first run is discarded. One that looks better earns {planned_runs(rule)}, each"
            f" with a new seed, and must be better with {rule.confidence:.0%} confidence."
        )
    reason = prose(decision.reason, 400).rstrip(".")
    verdict = f"Hence **{decision.verdict}**: {reason}. {_MEANINGS[decision.verdict]}"
    return f"{_compared(campaign, experiment, decision)} {verdict}".strip()


def _compared(campaign: Campaign, experiment: Experiment, decision: ExperimentDecided) -> str:
    """Say what was measured and how sure it is; nothing where nothing was."""
    if decision.effect is None or decision.score is None or decision.against is None:
        return ""
    digits = decision_places(decision)
    text = (
        f"It came to {decimals(decision.score, digits)} ({count(decision.candidate_runs, 'run')}), its incumbent"
        f" `{experiment.parent[:7]}` to {decimals(decision.against, digits)}"
        f" ({count(decision.incumbent_runs, 'run')}); the difference is {measured(campaign, experiment)}."
    )
    if decision.sigma is not None:
        text += f" Runs of one and the same commit scatter by about {decision.sigma:.2g}."
    return text


def _became(campaign: Campaign, experiment: Experiment) -> str:
    reverted = reverted_by(campaign, experiment.number)
    if reverted is not None:
        return f"It was merged, and experiment {reverted} took it out again."
    if experiment.landed is not None:
        waits = experiment.number in campaign.reverts_waiting
        more = " A human has read it." if experiment.number in campaign.read else ""
        more += " The next experiment takes it out again." if waits else ""
        return f"It is merged as `{experiment.landed.commit[:12]}`.{more}"
    if experiment.finished_at is not None:
        return "Its pull request is closed; its commits stay there."
    if experiment.is_held:
        return "It is confirmed, and waits until a human has read some of what was merged before."
    return "It is still open."
