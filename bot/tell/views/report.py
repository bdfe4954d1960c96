"""The report on an experiment's commit, `nocturne/report`: the evidence, whole, beside the commit's statuses."""

from __future__ import annotations

from bot.forge import Conclusion, Report
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.experiment import Experiment
from bot.tell.sentences import effect_line
from bot.tell.views.experiment import evidence
from bot.tell.views.verdict import verdict
from bot.tell.writers import markdown

REPORT = "nocturne/report"
_TITLE = 200


def report_of(campaign: Campaign, experiment: Experiment, rule: Rule) -> Report:
    """Return the report on an experiment that has its verdict: verdict and lesson, then runs, curve and cost."""
    decision = experiment.decision
    assert decision is not None
    figures = effect_line(campaign, decision, _TITLE) or decision.reason
    return Report(
        name=REPORT,
        conclusion=_conclusion(experiment),
        title=markdown.title(f"{decision.verdict}: {figures}", _TITLE),
        summary=markdown.write(verdict(campaign, experiment, rule)).rstrip(),
        text=markdown.write(evidence(campaign, experiment)),
    )


def _conclusion(experiment: Experiment) -> Conclusion:
    """Success where it lands, failure where something is wrong with it; that it is no better is neither."""
    decision = experiment.decision
    assert decision is not None
    if decision.land or decision.verdict == "improved":
        return "success"
    return "failure" if decision.verdict in ("crashed", "rejected") else "neutral"
