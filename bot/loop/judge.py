"""The stage that trains, the verdict that its runs allow, and the one run that measures a rejection."""

from __future__ import annotations

from dataclasses import replace

from bot.agents.registry import repairs
from bot.base.text import one_line
from bot.loop.commits import ensure_commit
from bot.loop.context import Context, Done
from bot.loop.measure import measure
from bot.loop.settings import judging_settings, noise_of, rule_of
from bot.rules import judging
from bot.rules.campaign import Campaign
from bot.rules.decision import CONFIDENCE, NeedRun, decision_of
from bot.rules.events import CrashSentBack, Event, ExperimentDecided, RejectionMeasured, RunFinished
from bot.rules.experiment import Experiment
from bot.rules.human import refusal
from bot.rules.lost_runs import AGAIN, REPAIRABLE, is_lost, lost_for_good
from bot.rules.rejections import Outcome, outcome_of
from bot.rules.statistics import compare
from bot.tell import sentences

RUNS_PER_VERDICT = 4  # times max_runs: beyond that something keeps failing
Settled = CrashSentBack | ExperimentDecided
_REASON = 300


def train(context: Context, campaign: Campaign, experiment: Experiment) -> Done:
    """Run candidate and incumbent until the rule has its verdict, or the crash goes back to its maker."""
    candidate, number = experiment.candidate, experiment.number
    assert candidate is not None
    ensure_commit(context, experiment)
    for _ in range(RUNS_PER_VERDICT * rule_of(context.config, campaign).max_runs):
        campaign = context.ledger.known()
        outcome = settled(context, campaign, number)
        if not isinstance(outcome, NeedRun):
            return _written(context, campaign, number, outcome)
        of_candidate = outcome.of == "candidate"
        measure(
            context,
            candidate.commit if of_candidate else candidate.parent,
            experiment=number if of_candidate else None,
            title=experiment.title if of_candidate else f"incumbent: {outcome.why}",
            later=True,
            share=outcome.share,
        )
    reason = "the incumbent could not be measured often enough"
    lesson = f"{experiment.title}: could not be compared."
    return Done([decision_of(experiment, "inconclusive", reason=reason, lesson=lesson)])


def _written(context: Context, campaign: Campaign, number: int, outcome: Settled) -> Done:
    """Return what settles an experiment; it is looked at again if others wrote more meanwhile."""
    seen = campaign.event_count
    if isinstance(outcome, CrashSentBack):
        context.display.note(f"experiment {number} crashed ({outcome.reason}): its maker may fix it")

    def anew(fresh: Campaign) -> list[Event]:
        found = outcome if fresh.event_count == seen else settled(context, fresh, number)
        return [] if isinstance(found, NeedRun) else [found]

    return Done(anew=anew)


def settled(context: Context, campaign: Campaign, number: int) -> Settled | NeedRun:
    """Return the verdict that the ledger's runs allow, or that a crash goes back to its maker; else the run that is
    needed. Trains nothing."""
    experiment = campaign.experiments[number]
    if number in campaign.refused:
        return refusal(campaign, experiment)
    outcome = judge(context, campaign, number)
    failed = None if isinstance(outcome, NeedRun) else judging.failed_run(campaign, experiment)
    if failed is None or isinstance(outcome, NeedRun) or outcome.verdict != "crashed":
        return outcome
    return sent_back(context, campaign, experiment, failed) or outcome


def judge(context: Context, campaign: Campaign, number: int) -> ExperimentDecided | NeedRun:
    """Say what the runs on the ledger allow: a verdict with its lesson, or which run is needed next. No effects."""
    outcome = judging.judge(campaign, number, judging_settings(context, campaign))
    if isinstance(outcome, NeedRun) or outcome.lesson:
        return outcome
    experiment = campaign.experiments[number]
    lesson = sentences.lesson(experiment, outcome, campaign.metric, campaign.direction)
    return replace(outcome, lesson=lesson)


def sent_back(
    context: Context, campaign: Campaign, experiment: Experiment, run: RunFinished
) -> CrashSentBack | None:
    """Return the event that sends a crash back to its maker; None if the crash is the verdict.

    It is if a repair would not help (the run was refused, or ran out of its time), if the maker had its chances, or
    if it is none that repairs, as the offline search, also where it stands in for another.
    """
    failure, proposal = run.failure or {}, experiment.proposal
    if proposal is None or failure.get("class") not in REPAIRABLE:
        return None
    if (
        experiment.asked_for
        or proposal.proposer.startswith("offline")
        or experiment.number in campaign.refused
    ):
        return None
    if len(experiment.crashes) >= context.config.repairs or not repairs(context.config.proposer):
        return None
    return CrashSentBack(experiment.number, experiment.round, run.run, _crash_words(run))


def _crash_words(run: RunFinished) -> str:
    """Return class and reason of a failed run on one line."""
    failure = run.failure or {}
    return one_line(f"{failure.get('class', 'error')}: {failure.get('reason', '')}".strip(": "), _REASON)


def audit(context: Context, campaign: Campaign, experiment: Experiment) -> Done:
    """Train the rejected candidate once, and say what that showed."""
    candidate = experiment.candidate
    assert candidate is not None
    ensure_commit(context, experiment)
    for _ in range(AGAIN + 1):
        if _telling(context.ledger.known(), candidate.commit) is not None:
            break
        title = f"{experiment.title} (rejected; trained once to measure the review)"
        measure(context, candidate.commit, experiment=experiment.number, title=title, later=True)
    found = measured(context, context.ledger.known(), experiment.number)
    return Done([found] if found is not None else [])


def measured(context: Context, campaign: Campaign, number: int) -> RejectionMeasured | None:
    """Return what the run of a rejected candidate showed; None if there is none yet."""
    experiment = campaign.experiments[number]
    assert experiment.candidate is not None
    run = _telling(campaign, experiment.candidate.commit)
    return None if run is None else _measured(context, campaign, experiment, run)


def _telling(campaign: Campaign, commit: str) -> RunFinished | None:
    """Return the first run that says something of a commit: not lost to the machine, or the last of too many."""
    told = (run for run in campaign.runs_of(commit) if not is_lost(run))
    return next(told, None) or next(reversed(lost_for_good(campaign, commit)), None)


def _measured(
    context: Context, campaign: Campaign, experiment: Experiment, run: RunFinished
) -> RejectionMeasured:
    if run.score is None:
        refused = (run.failure or {}).get("class") == "refused"
        failed: Outcome = "refused" if refused else "crashed"
        return RejectionMeasured(experiment.number, run.run, failed, None, None)
    theirs = campaign.scores_of(experiment.parent, runner=run.runner, fingerprint=run.fingerprint)
    noise, confidence = (
        noise_of(campaign, context.config, run.runner, run.fingerprint),
        CONFIDENCE,
    )
    result = compare([run.score], theirs, noise, confidence=confidence) if theirs else None
    return RejectionMeasured(
        experiment.number,
        run.run,
        outcome_of(result, lower_is_better=campaign.direction == "minimize"),
        run.score,
        result.incumbent if result else None,
    )
