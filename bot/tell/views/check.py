"""The one check run on an experiment's commit: that it trains, then its verdict with all the evidence."""

from __future__ import annotations

from collections.abc import Sequence

from bot.forge import Conclusion, Report
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.events import CrashSentBack, Reviewed
from bot.rules.experiment import Experiment
from bot.rules.proposal import Opinion
from bot.tell.document import Block, Paragraph, cut, paragraph
from bot.tell.sentences import effect_line
from bot.tell.views.experiment import evidence
from bot.tell.views.runs import trained_at, workflow_run
from bot.tell.views.status import looks_of, onward
from bot.tell.views.verdict import planned_runs, verdict
from bot.tell.writers import markdown

NAME = "nocturne/report"
_TITLE = 200


def begun_report(
    experiment: Experiment, rule: Rule, review: Reviewed, opinion: Opinion | None, *, apart: bool = False,
    link: str = "", on_github: bool = True,
) -> Report:  # fmt: skip
    """Return the report on an experiment that may train, with what its checker said.

    `apart`: another job trains it. `link` is the address of the workflow run that has it, "" if there is none.
    """
    parts: list[Block] = [
        paragraph(
            "Scope and review by rule have nothing against it; {} against `{}` will tell.",
            planned_runs(rule),
            experiment.parent[:7],
        ),
        *looks_of(review),
        *_reviewed(opinion),
    ]
    if link:
        parts.append(paragraph("It is in the hands of {}.", workflow_run(link)))
    parts.append(Paragraph(onward(experiment, on_github=on_github)))
    title = "training next, by the job that trains" if apart else "training next"
    return Report(NAME, None, title, markdown.write(tuple(parts)).rstrip(), link=link)


def _reviewed(opinion: Opinion | None) -> Sequence[Block]:
    if opinion is None:
        return ()
    return (paragraph("Reviewed by {}: {}", cut(opinion.reviewer, 160), cut(opinion.reason, 600)),)


def sent_back_report(crash: CrashSentBack) -> Report:
    """Return the report on a version that crashed and goes back to its maker."""
    return Report(
        NAME, "failure", markdown.title(f"crashed: {crash.reason}", _TITLE), "It goes back to its maker."
    )


def superseded_report(round: int) -> Report:
    """Return the report on a version that another one, of `round`, has taken the place of."""
    return Report(NAME, "neutral", f"superseded by round {round}", "A newer version of it is what counts.")


def report_of(campaign: Campaign, experiment: Experiment, rule: Rule) -> Report:
    """Return the report on an experiment that has its verdict: verdict and lesson, then runs, curve and cost."""
    decision = experiment.decision
    assert decision is not None
    figures = effect_line(campaign, decision, _TITLE) or decision.reason
    return Report(
        name=NAME,
        conclusion=_conclusion(experiment),
        title=markdown.title(f"{decision.verdict}: {figures}", _TITLE),
        summary=markdown.write(verdict(campaign, experiment, rule)).rstrip(),
        text=markdown.write(evidence(campaign, experiment)),
        link=trained_at(campaign, experiment),
    )


def _conclusion(experiment: Experiment) -> Conclusion:
    """Success if it lands, failure if something is wrong with it; that it is no better is neither."""
    decision = experiment.decision
    assert decision is not None
    if decision.land or decision.verdict == "improved":
        return "success"
    return "failure" if decision.verdict in ("crashed", "rejected") else "neutral"
