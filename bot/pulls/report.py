"""The report on an experiment's commit, `nocturne/report`: the evidence, whole, beside the commit's statuses."""

from __future__ import annotations

from bot.forge import Conclusion, Report
from bot.pulls.curve import curve_lines
from bot.pulls.runs import runs_lines
from bot.pulls.safe import title
from bot.pulls.verdict import cost_lines, verdict_lines
from bot.report.rows import index_runs, row_of
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.experiment import Experiment
from bot.words import effect_line

REPORT = "nocturne/report"
_TITLE = 200


def report_of(campaign: Campaign, experiment: Experiment, rule: Rule) -> Report:
    """Return the report on an experiment that has its verdict: verdict and lesson, then runs, curve and cost."""
    decision = experiment.decision
    assert decision is not None
    row = row_of(campaign, experiment, index_runs(campaign), "")
    against = campaign.runs.get(row.curve_against or "")
    sections = [
        runs_lines(campaign, experiment),
        curve_lines(row.curve, against.curve if against else ()),
        cost_lines(campaign, experiment),
    ]
    figures = effect_line(campaign, decision, _TITLE) or decision.reason
    return Report(
        name=REPORT,
        conclusion=_conclusion(experiment),
        title=title(f"{decision.verdict}: {figures}", _TITLE),
        summary="\n".join(verdict_lines(campaign, experiment, rule)),
        text="\n\n".join("\n".join(lines) for lines in sections if lines) + "\n",
    )


def _conclusion(experiment: Experiment) -> Conclusion:
    """Success where it lands, failure where something is wrong with it; that it is no better is neither."""
    decision = experiment.decision
    assert decision is not None
    if decision.land or decision.verdict == "improved":
        return "success"
    return "failure" if decision.verdict in ("crashed", "rejected") else "neutral"
