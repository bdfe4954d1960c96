"""The pull request of an experiment: its title, and the text that tells all of it in one reading."""

from __future__ import annotations

from bot.forge import BODY_LIMIT, cut
from bot.pulls import safe
from bot.pulls.change import change_lines
from bot.pulls.curve import curve_lines
from bot.pulls.idea import idea_words
from bot.pulls.mended import mended_words
from bot.pulls.runs import runs_lines
from bot.pulls.status import onward
from bot.pulls.verdict import cost_lines, measured, verdict_lines
from bot.report.explanation import Explanation
from bot.report.rows import index_runs, row_of
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.experiment import Experiment

TITLE_LIMIT = 120


def pull_title(experiment: Experiment) -> str:
    """Return the hypothesis as it is, as far as a title can hold it."""
    return safe.title(experiment.title, TITLE_LIMIT) or f"Experiment {experiment.number}"


def pull_body(
    campaign: Campaign, experiment: Experiment, diff: str, *, rule: Rule, on_github: bool = True
) -> str:
    """Return the pull request's text: why, what changes, what was measured, what it means, how to go on.

    Every part is bounded, whatever its words are, so that the whole stays below `BODY_LIMIT`.
    """
    row = row_of(campaign, experiment, index_runs(campaign), "")
    against = campaign.runs.get(row.curve_against or "")
    sections = [
        _why(campaign, experiment),
        explanation_lines(row.explanation),
        change_lines(experiment, diff),
        verdict_lines(campaign, experiment, rule),
        runs_lines(campaign, experiment),
        curve_lines(row.curve, against.curve if against else ()),
        cost_lines(campaign, experiment),
        ["### How to go on", "", onward(experiment, on_github=on_github)],
    ]
    return cut("\n\n".join("\n".join(lines) for lines in sections if lines) + "\n", BODY_LIMIT)


def explanation_lines(said: Explanation) -> list[str]:
    """Return the explanation for a reader as Markdown lines."""
    lines = ["### In plain words", "", f"**What changes.** {safe.prose(said.changed, 600)}", ""]
    first, *rest = safe.paragraphs(said.why) or [""]
    lines += [f"**Why it may work.** {first}", *rest, ""]
    return [*lines, f"**What it might break.** {safe.prose(said.risk, 600)}"]


def _why(campaign: Campaign, experiment: Experiment) -> list[str]:
    proposal = experiment.proposal
    assert proposal is not None
    rows = [("category", safe.prose(proposal.category, 80))]
    rows.append(("expected", safe.prose(proposal.expected_effect, 400)))
    rows.append(("measured", measured(campaign, experiment)))
    rows.append(("proposed by", safe.prose(proposal.proposer, 200)))
    rows.append(("experiment", f"{experiment.number} on `{experiment.parent[:7]}`"))
    rows += [(name, safe.prose(said, 400)) for name, said in mended_words(experiment)]
    if experiment.carried:
        rows.append(("round", f"{experiment.round}: measured again on a newer incumbent"))
    if experiment.reverts is not None:
        rows.append(("takes out", f"experiment {experiment.reverts}"))
    if proposal.idea is not None:
        rows.append(("follows", idea_words(campaign, proposal.idea)))
    if experiment.retries is not None:
        rows.append(("tries again", f"experiment {experiment.retries}"))
    hypothesis = safe.prose(proposal.hypothesis, 300) or pull_title(experiment)
    table = ["| | |", "| --- | --- |", *(f"| {name} | {said} |" for name, said in rows)]
    return [f"**{hypothesis}**", "", *table]
