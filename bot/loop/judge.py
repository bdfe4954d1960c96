"""The stage that trains, the verdict that its runs allow, and the one run that measures a rejection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.agents.registry import repairs
from bot.base.text import one_line
from bot.loop.commits import ensure_commit
from bot.loop.context import Context, Done
from bot.loop.measure import measure
from bot.loop.settings import campaign_noise, guards_of, known_variation, rule_of
from bot.rules import audits
from bot.rules.campaign import Campaign
from bot.rules.decision import Decided, NeedRun, decide, decision_of
from bot.rules.events import CrashSentBack, Event, ExperimentDecided, RejectionMeasured, RunFinished, Verdict
from bot.rules.experiment import Experiment
from bot.rules.guards import broken, clearly_broken
from bot.rules.human import refusal
from bot.rules.lost_runs import AGAIN, REPAIRABLE, is_lost, lost_for_good
from bot.rules.rejections import Outcome, outcome_of
from bot.rules.statistics import Comparison, compare
from bot.tell import sentences

RUNS_PER_VERDICT = 4  # times max_runs: beyond that something keeps failing
Settled = CrashSentBack | ExperimentDecided
Measured = Sequence[tuple[float, Mapping[str, float]]]  # score and metrics of each run
_REASON = 300


def train(context: Context, campaign: Campaign, experiment: Experiment) -> Done:
    """Run candidate and incumbent until the rule has its verdict, or the crash goes back to its maker."""
    candidate, number = experiment.candidate, experiment.number
    assert candidate is not None
    ensure_commit(context, experiment)
    if not campaign.runs_of(candidate.commit):
        announce(context, experiment)
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
            title=experiment.title if of_candidate else f"incumbent ({outcome.why})",
            later=True,
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


def announce(context: Context, experiment: Experiment) -> None:
    """Say that the training begins."""
    assert experiment.candidate is not None
    for name in ("nocturne/train", "nocturne/score"):
        context.forge.set_status(
            sha=experiment.candidate.commit, context=name, state="pending", description="training"
        )


def settled(context: Context, campaign: Campaign, number: int) -> Settled | NeedRun:
    """Return the verdict that the ledger's runs allow, or that a crash goes back to its maker; else the run that is
    needed. Trains nothing."""
    experiment = campaign.experiments[number]
    if number in campaign.refused:
        return refusal(campaign, experiment)
    outcome = judge(context, campaign, experiment)
    failed = None if isinstance(outcome, NeedRun) else _failed(campaign, experiment)
    if failed is None or isinstance(outcome, NeedRun) or outcome.verdict != "crashed":
        return outcome
    return sent_back(context, campaign, experiment, failed) or outcome


def judge(context: Context, campaign: Campaign, experiment: Experiment) -> ExperimentDecided | NeedRun:
    """Say what the runs on the ledger allow: a verdict, or which run is needed next. No effects."""
    candidate = experiment.candidate
    assert candidate is not None
    runs = campaign.runs_of(candidate.commit)
    failed = _failed(campaign, experiment)
    if failed is not None:
        return _crashed(experiment, failed)
    lost = lost_for_good(campaign, candidate.commit)
    if lost:
        return _lost(experiment, lost)
    if not runs:
        return NeedRun("candidate", "the first run")
    runner, print_ = runs[-1].runner, runs[-1].fingerprint
    mine = _scored_runs(campaign, candidate.commit, runner, print_)
    theirs = _scored_runs(campaign, candidate.parent, runner, print_)
    # Of the machine that trained, which need not be this one.
    scored, pair = campaign.scored(runner, print_), (candidate.commit, candidate.parent)
    known, rule = (
        known_variation(campaign, context.config, runner, print_, without=pair),
        rule_of(context.config, campaign),
    )
    if experiment.reverts is not None:
        if len(mine) < rule.min_runs:
            return NeedRun("candidate", "the new incumbent needs its runs")
        rule = replace(rule, max_runs=len(mine), control=False)
    outcome = decide(
        scored.get(candidate.commit, []), scored.get(candidate.parent, []), known,
        direction=campaign.direction, rule=rule, net_lines=candidate.added - candidate.removed,
    )  # fmt: skip
    breaches = _breaches(context, experiment, outcome, mine, theirs)
    if breaches:
        noise = campaign_noise(campaign, context.config, runner, print_)
        scores, others = [score for score, _ in mine], [score for score, _ in theirs]
        result = compare(scores, others, noise, confidence=rule.confidence) if others else None
        return _breached(experiment, breaches, result, campaign)
    if isinstance(outcome, NeedRun):
        if runner != context.runner:
            return NeedRun("candidate", f"this runner is another kind than {runner}")
        return outcome
    found = audits.pool(audits.audits_of(runs))
    claimed = audits.allowed_gain(rule.min_effect, outcome.comparison.effect)
    asked = experiment.reverts is not None
    if outcome.verdict == "improved" and not asked and found is not None and found.shows_more_than(claimed):
        return _refused(experiment, sentences.audits_say(found))
    return _verdict(experiment, outcome, campaign)


def _failed(campaign: Campaign, experiment: Experiment) -> RunFinished | None:
    """Return the first run of the candidate that failed, and that not by the machine."""
    assert experiment.candidate is not None
    runs = campaign.runs_of(experiment.candidate.commit)
    return next((run for run in runs if run.score is None and not is_lost(run)), None)


def _scored_runs(campaign: Campaign, commit: str, runner: str, print_: str | None) -> Measured:
    """Return score and metrics of a commit's runs that may be compared: one kind of runner, one fingerprint."""
    return [
        (run.score, run.metrics)
        for run in campaign.runs_of(commit, runner=runner)
        if run.score is not None and run.fingerprint == print_
    ]


def _breaches(
    context: Context, experiment: Experiment, outcome: Decided | NeedRun, mine: Measured, theirs: Measured
) -> list[str]:
    """Return which guards stand between a candidate and its place: those that it breaks however often it is
    measured, or, where its score is good enough, those that it breaks on the whole."""
    if experiment.reverts is not None:
        return []  # a human asked
    metrics = [each for _, each in mine], [each for _, each in theirs]
    if isinstance(outcome, NeedRun):
        return clearly_broken(guards_of(context.config), *metrics)
    return broken(guards_of(context.config), *metrics) if outcome.verdict == "improved" else []


def _breached(
    experiment: Experiment, breaches: Sequence[str], result: Comparison | None, campaign: Campaign
) -> ExperimentDecided:
    """Write down a verdict for breaking guards, without an effect: the search shall not follow what is barred."""
    lesson = sentences.breach_lesson(experiment, breaches, result, campaign.metric, campaign.direction)
    decision = decision_of(
        experiment, "discarded", reason=sentences.breach(breaches), lesson=lesson, comparison=result
    )
    return replace(decision, effect=None, half_width=None)


def _verdict(experiment: Experiment, outcome: Decided, campaign: Campaign) -> ExperimentDecided:
    land = outcome.verdict == "improved" or experiment.reverts is not None
    reason = outcome.reason
    if experiment.reverts is not None:
        reason = f"{reason}; taken out because a human asked"
    draft = decision_of(
        experiment, outcome.verdict, reason=reason, lesson="", land=land, comparison=outcome.comparison
    )
    lesson = sentences.lesson(experiment, draft, campaign.metric, campaign.direction)
    return decision_of(
        experiment, outcome.verdict, reason=reason, lesson=lesson, land=land, comparison=outcome.comparison
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
        campaign_noise(campaign, context.config, run.runner, run.fingerprint),
        rule_of(context.config, campaign).confidence,
    )
    result = compare([run.score], theirs, noise, confidence=confidence) if theirs else None
    return RejectionMeasured(
        experiment.number,
        run.run,
        outcome_of(result, lower_is_better=campaign.direction == "minimize"),
        run.score,
        result.incumbent if result else None,
    )
