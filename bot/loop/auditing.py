"""The stage that measures a reviewer: a rejected change that was drawn is trained once, and stays rejected."""

from __future__ import annotations

from bot.loop.context import Context, campaign_noise
from bot.loop.measure import measure
from bot.loop.proposing import ensure_commit
from bot.rules.campaign import Campaign, Experiment
from bot.rules.events import Reviewed, RunFinished
from bot.rules.lost_runs import AGAIN, is_lost, lost_for_good
from bot.rules.rejections import Outcome, RejectionDrawn, RejectionMeasured, is_drawn, outcome_of
from bot.rules.statistics import compare


def draw(context: Context, reviewed: Reviewed) -> list[RejectionDrawn]:
    """Return the event that has a rejection measured; nothing for most of them, and where no model rejected."""
    final = not reviewed.approved and not reviewed.revise
    if not final or context.config.reviewer != "claude" or reviewed.reviewer.startswith("rules"):
        return []
    config, number = context.config, reviewed.experiment
    drawn = is_drawn(context.name, config.seed, number, config.audit_share)
    return [RejectionDrawn(number)] if drawn else []


def audit(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Train the rejected candidate once, and write down what that showed."""
    candidate = experiment.candidate
    assert candidate is not None
    ensure_commit(context, experiment)
    for _ in range(AGAIN + 1):
        if _telling(context.ledger.known(), candidate.commit) is not None:
            break
        title = f"{experiment.title} (rejected; trained once to measure the review)"
        measure(context, candidate.commit, experiment=experiment.number, title=title)
    record(context, experiment)


def record(context: Context, experiment: Experiment) -> bool:
    """Write down what the run of a rejected candidate showed; False where there is none yet."""
    assert experiment.candidate is not None
    campaign = context.ledger.known()
    run = _telling(campaign, experiment.candidate.commit)
    if run is None:
        return False
    event = _measured(context, campaign, experiment, run)
    context.ledger.append(lambda c: [] if c.experiments[experiment.number].measured else [event])
    return True


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
        context.rule().confidence,
    )
    result = compare([run.score], theirs, noise, confidence=confidence) if theirs else None
    return RejectionMeasured(
        experiment.number,
        run.run,
        outcome_of(result, lower_is_better=campaign.direction == "minimize"),
        run.score,
        result.incumbent if result else None,
    )
