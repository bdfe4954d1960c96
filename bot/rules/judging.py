"""What the runs on a ledger allow for one experiment: a verdict, or the run that is needed next. Pure.

The loop, the jobs on GitHub and the simulations all ask here; `bot.rules.decision` turns the scores into a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.rules import audits, short_runs
from bot.rules.campaign import Campaign
from bot.rules.decision import SIMPLER_LOSS, Decided, Measured, NeedRun, Rule, compared, decide, decision_of
from bot.rules.events import ExperimentDecided, RunFinished, Verdict
from bot.rules.experiment import Experiment
from bot.rules.guards import Guard, broken, clearly_broken
from bot.rules.lost_runs import is_lost, lost_for_good
from bot.rules.rung_record import misleads
from bot.rules.short_control import control_of
from bot.rules.statistics import Comparison
from bot.rules.tracking import track

REVERT_RUNS = 2  # before an experiment is taken out: the new incumbent begins with them


@dataclass(frozen=True)
class Settings:
    """What a verdict depends on besides the campaign. `prior_sigma` is in score units, None for the usual share of
    the score; `runner` is the kind of machine that asks."""

    rule: Rule
    prior_sigma: float | None = None
    guards: tuple[Guard, ...] = ()
    runner: str = ""
    least_effect: float = 0.0
    """The smallest gain that audits must tell from none, in score units (`bot.rules.audits.allowed_gain`)."""
    rungs: tuple[float, ...] = ()
    """Shares of the budget with which a candidate runs before it runs in full, rising."""


def judge(campaign: Campaign, number: int, settings: Settings) -> ExperimentDecided | NeedRun:
    """Say what the runs on the ledger allow for an experiment that has a candidate.

    A verdict's lesson is left empty if it is to be made from the figures (`bot.tell.sentences.lesson`).
    """
    experiment = campaign.experiments[number]
    candidate = experiment.candidate
    assert candidate is not None
    failed = failed_run(campaign, experiment)
    if failed is not None:
        return _crashed(experiment, failed)
    lost = lost_for_good(campaign, candidate.commit)
    if lost:
        return _lost(experiment, lost)
    runs = campaign.runs_of(candidate.commit)
    if not runs:
        rungs = settings.rungs
        if rungs and experiment.proposal is not None:
            rungs = () if misleads(campaign, experiment.proposal.category) else rungs
        short = short_runs.next_run(campaign, number, rungs, runner=settings.runner)
        return short or NeedRun("candidate", "the first run")
    return _by_scores(campaign, experiment, runs, settings)


def _by_scores(
    campaign: Campaign, experiment: Experiment, runs: Sequence[RunFinished], settings: Settings
) -> ExperimentDecided | NeedRun:
    """Judge a candidate whose runs all ended by themselves, on the scale of its newest."""
    candidate, rule = experiment.candidate, settings.rule
    assert candidate is not None
    runner, print_ = runs[-1].runner, runs[-1].fingerprint  # that trained; the one that asks may be another
    mine = _on_scale(campaign, candidate.commit, runner, print_)
    theirs = _on_scale(campaign, candidate.parent, runner, print_)
    incumbent = track(campaign, candidate.parent, runner, print_, settings.prior_sigma)
    if experiment.reverts is not None:
        if len(mine) < REVERT_RUNS:
            return NeedRun("candidate", "the new incumbent needs its runs")
        rule = replace(rule, max_runs=len(mine), min_runs=1, control=False)
    scores = [Measured(run.score, campaign.run_places[run.run]) for run in mine if run.score is not None]
    sigma = incumbent.sigma if incumbent is not None else 0.0
    outcome = decide(
        scores,
        incumbent,
        direction=campaign.direction,
        rule=rule,
        net_lines=candidate.added - candidate.removed,
        budget=simpler_budget(campaign),
        control=control_of(campaign, experiment, mine, sigma),
    )
    breaches = _breaches(settings.guards, experiment, outcome, mine, theirs)
    if breaches:
        return _breached(experiment, breaches, compared(scores, incumbent) if incumbent is not None else None)
    if isinstance(outcome, NeedRun):
        if runner != settings.runner:
            return NeedRun("candidate", f"this runner is another kind than {runner}")
        return outcome
    found = audits.pool(audits.audits_of(runs))
    claimed = audits.allowed_gain(settings.least_effect, outcome.comparison.effect)
    asked = experiment.reverts is not None
    if outcome.verdict == "improved" and not asked and found is not None and found.shows_more_than(claimed):
        return _refused(experiment, audits.said(found))
    return _verdict(experiment, outcome)


def failed_run(campaign: Campaign, experiment: Experiment) -> RunFinished | None:
    """Return the first run of the candidate that failed, and that not by the machine. What took too long in a short
    run is tried in full: no share of a budget fits every script."""
    assert experiment.candidate is not None
    runs = campaign.tries_of(experiment.candidate.commit)
    failed = (run for run in runs if run.score is None and not is_lost(run))
    return next((run for run in failed if run.is_full or not _took_too_long(run)), None)


def _took_too_long(run: RunFinished) -> bool:
    failure = run.failure or {}
    return failure.get("class") == "timeout" or failure.get("defence") == "clock"


def _on_scale(campaign: Campaign, commit: str, runner: str, print_: str | None) -> list[RunFinished]:
    """Return a commit's runs with a score that may be compared: one kind of runner, one fingerprint."""
    runs = campaign.runs_of(commit, runner=runner)
    return [run for run in runs if run.score is not None and run.fingerprint == print_]


def simpler_budget(campaign: Campaign) -> float:
    """Return what is left of what simplifications may cost until the next promotion, in sigma.

    Each merge since the last promotion that was merged is charged with how much worse it may be by its own interval.
    """
    heads = {each.head for each in campaign.promotions if each.state == "merged"}
    places = [place for place, commit in enumerate(campaign.incumbents) if commit in heads]
    since = campaign.incumbents[places[-1] + 1 if places else 0 :]
    sign = -1.0 if campaign.direction == "minimize" else 1.0
    spent = 0.0
    for commit in since:
        experiment = campaign.experiment_of(commit)
        decision = experiment.decision if experiment is not None else None
        if (
            decision is None
            or decision.effect is None
            or not decision.sigma
            or decision.verdict != "improved"
        ):
            continue
        spent += max(0.0, (decision.half_width or 0.0) - sign * decision.effect) / decision.sigma
    return max(0.0, SIMPLER_LOSS - spent)


def _breaches(
    guards: Sequence[Guard],
    experiment: Experiment,
    outcome: Decided | NeedRun,
    mine: Sequence[RunFinished],
    theirs: Sequence[RunFinished],
) -> list[str]:
    """Return which guards stand between a candidate and its place: those that it breaks however often it is
    measured, or, if its score is good enough, those that it breaks on the whole."""
    if experiment.reverts is not None:
        return []  # it was asked for
    metrics = [run.metrics for run in mine], [run.metrics for run in theirs]
    if isinstance(outcome, NeedRun):
        return clearly_broken(guards, *metrics)
    return broken(guards, *metrics) if outcome.verdict == "improved" else []


def _breached(
    experiment: Experiment, breaches: Sequence[str], result: Comparison | None
) -> ExperimentDecided:
    """Write down a verdict for breaking guards, without an effect: the search shall not follow what is barred."""
    reason = f"breaks {'a guard' if len(breaches) == 1 else 'guards'}: {'; '.join(breaches)}"
    decision = decision_of(experiment, "discarded", reason=reason, lesson="", comparison=result)
    return replace(decision, effect=None, half_width=None)


def _who_asked(experiment: Experiment) -> str:
    ours = experiment.proposal is not None and experiment.proposal.proposer == "nocturne"
    return "it did not hold side by side" if ours else "a human asked"


def _verdict(experiment: Experiment, outcome: Decided) -> ExperimentDecided:
    asked = experiment.reverts is not None
    return decision_of(
        experiment,
        outcome.verdict,
        reason=f"{outcome.reason}; taken out because {_who_asked(experiment)}" if asked else outcome.reason,
        lesson="",
        land=outcome.verdict == "improved" or asked,
        comparison=outcome.comparison,
    )


def _lost(experiment: Experiment, runs: Sequence[RunFinished]) -> ExperimentDecided:
    """Write down that the machine lost one run after another: nothing is said of the change."""
    reason = (runs[-1].failure or {}).get("reason", "")
    said = f"the machine lost {len(runs)} runs in a row: {reason}"
    return decision_of(experiment, "lost", reason=said, lesson=f"{experiment.title}: not measured ({said}).")


def _crashed(experiment: Experiment, run: RunFinished) -> ExperimentDecided:
    failure = run.failure or {}
    reason = f"{failure.get('class', 'error')}: {failure.get('reason', '')}".strip(": ")
    verdict: Verdict = "rejected" if failure.get("class") == "refused" else "crashed"
    return decision_of(
        experiment, verdict, reason=reason, lesson=f"{experiment.title}: {verdict} ({reason}).",
        defence=failure.get("defence", "") if verdict == "rejected" else "",
    )  # fmt: skip


def _refused(experiment: Experiment, evidence: str) -> ExperimentDecided:
    """Write down that the audits of all runs together refuse a candidate that each of them let pass."""
    reason = f"refused: {evidence}"
    lesson = f"{experiment.title}: rejected ({reason})."
    return decision_of(experiment, "rejected", reason=reason, lesson=lesson, defence=audits.DEFENCE)
