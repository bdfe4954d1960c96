"""One run: lease it, train and score it, write it to the ledger."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from bot.ledger import now
from bot.loop.commits import objections, require_commit
from bot.loop.context import Context
from bot.loop.evaluation import RunOrder
from bot.loop.leases import is_anothers, take_lease
from bot.loop.outcome import RunOutcome
from bot.loop.progress import ProgressFile
from bot.loop.settings import (
    audit_settings,
    cuts_of,
    evaluator_settings,
    reference_settings,
    why_self_reported,
)
from bot.rules import reference, shares
from bot.rules.campaign import Campaign
from bot.rules.confirming import Beside
from bot.rules.events import RunFinished
from bot.rules.lost_runs import AGAIN, lost_for_good
from bot.rules.schedule import next_replicate, run_id, seed_of, subject_of
from bot.rules.throughput import believed
from bot.tell import sentences

LEAST_CUTS = 32  # with fewer the evaluator says nothing


def measure(
    context: Context, commit: str, *, experiment: int | None, title: str, later: bool = False,
    share: float = 1.0, side: Beside | None = None, due: int | None = None,
) -> RunFinished | None:  # fmt: skip
    """Make the commit's next run and record it: at once, or `later`, with what the caller appends at once.

    A run of an incumbent (`experiment` None) is leased by itself; None if another loop got there first. If the run
    with the number `due` is wanted and no other, that is so as soon as another loop makes it.
    A candidate's runs go under the lease of their experiment, and only where its tree is the incumbent's
    plus editable files: the review has seen to that, but `editable` may have changed since. Where nobody has
    measured the reference on this machine yet, that is done first; None if it fails. A run with a `share` of the
    budget has a number and a seed of its own, and is asked no cuts.
    """
    if not measure_reference(context, commit):
        return None
    if context.meanwhile is None:  # else it is done while the run begins
        context.ledger.flush()
    campaign = context.ledger.known()
    first = not campaign.scored_runs
    replicate = next_replicate(campaign, commit)
    if experiment is None:
        leased = _leased(context, commit, replicate if due is None else due, only=due is not None)
        if leased is None:
            return None
        campaign, replicate = context.ledger.known(), leased
    run = run_id(commit, replicate)
    subject = f"experiment:{experiment}" if experiment is not None else f"run:{run}"
    named = subject_of(campaign, commit, experiment)
    seed = side.seed if side is not None else seed_of(context.config.seed, named, replicate)
    renew_at = now() + timedelta(minutes=context.config.lease_minutes / 3)

    def on_event(event: Mapping[str, Any]) -> None:
        nonlocal renew_at
        context.display.run_progress(event)
        progress.take(event)
        if now() >= renew_at:
            take_lease(context, subject)
            renew_at = now() + timedelta(minutes=context.config.lease_minutes / 3)

    title = title if share == 1 else f"{title}: {shares.run_words(share)}"
    progress = ProgressFile(context.runs.folder, run, f"{title} (run {replicate})")
    context.display.run_started(title=title, replicate=replicate, seed=seed)
    outside = objections(context, campaign, commit) if experiment is not None else ()
    cuts = None if outside or share != 1 else cuts_of(context, campaign)
    if outside:
        outcome = _refused(outside[0])
    else:
        with context.runs.scratch() as scratch:
            context.git.export(commit, scratch.tree)
            asked = evaluator_settings(context)
            if share == 1:  # what rests on audits rests on those of whole runs
                asked |= audit_settings(context, campaign, commit, experiment)
            order = RunOrder(run, scratch, seed, asked, charged_by(context, campaign, commit), cuts, share)
            outcome = context.runs.evaluate(order, on_event, context.meanwhile)
    progress.end()
    finished = RunFinished(
        run=run,
        commit=commit,
        seed=seed,
        replicate=replicate,
        experiment=experiment,
        score=outcome.score,
        failure=outcome.failure,
        metrics=outcome.metrics,
        fingerprint=outcome.fingerprint,
        jail=outcome.jail,
        gaps=outcome.gaps,
        audit=outcome.audit,
        runner=context.runner,
        seconds=round(outcome.seconds, 3),
        gpu_seconds=round(outcome.seconds, 3),
        curve=outcome.curve,
        reference=_measured(context, campaign, commit, outcome),
        self_reported=why_self_reported(context, commit) is not None,
        share=share,
        beside=side.beside if side is not None else "",
        late=round(outcome.late, 3),
        where=context.where,
    )
    finished = believed(campaign, finished)
    context.ledger.append(lambda _: [finished], lambda _: _log_file(run, outcome), later=later)
    context.display.run_finished(finished)
    if experiment is not None and cuts and cuts["--against"] and _is_not_compared(finished.metrics):
        context.display.note(
            "cuts: the gain is not compared there, since the incumbent's losses are missing or of other cuts: its next"
            " run makes them anew"
        )
    tokens = sentences.what_is_scored(finished.metrics)
    if tokens and first:
        context.display.note(tokens)  # with the first score of the campaign
    context.runs.prune()
    return finished


def _leased(context: Context, commit: str, first: int, *, only: bool) -> int | None:
    """Take the lease of a commit's run, the `first` that nobody else makes now, and return its number; None if another
    loop has made it meanwhile, or makes it and `only` the first will do."""
    replicate = first
    while not take_lease(context, f"run:{run_id(commit, replicate)}"):
        if only or run_id(commit, replicate) in context.ledger.refresh().runs:
            return None
        replicate += 1
    return replicate


def charged_by(context: Context, campaign: Campaign, commit: str) -> dict[str, Any] | None:
    """Return the measures by which the time of a run of `commit` is charged; None if it is the reference's own,
    or where no time is counted."""
    settings = reference_settings(context)
    if not settings or commit == campaign.reference:
        return None
    return reference.measures(campaign, context.runner, settings)


def measure_reference(context: Context, commit: str) -> bool:
    """Measure the reference here, where a run of `commit` is to be charged by it and nobody has; False if it
    fails."""
    tries = 0
    while tries < reference.TRIES + AGAIN + 1:
        campaign, settings = context.ledger.known(), reference_settings(context)
        if commit == campaign.reference or not reference.is_missing(campaign, context.runner, settings):
            return True
        failed = reference.failures(campaign, context.runner)
        if len(failed) >= reference.TRIES or lost_for_good(
            campaign, campaign.reference, runner=context.runner
        ):
            break
        require_commit(context, campaign.reference)
        title = "reference (time is charged at its measure)"
        number = next_replicate(campaign, campaign.reference)
        if measure(context, campaign.reference, experiment=None, title=title, due=number) is None:
            wait_for_run(context, campaign.reference, number)
        else:
            tries += 1
    context.display.note("the reference, by which time is charged, could not be measured on this machine")
    return False


def wait_for_run(context: Context, commit: str, replicate: int) -> None:
    """Wait until another loop has made a run, or has lost its lease on it."""
    subject = f"run:{run_id(commit, replicate)}"
    while is_anothers(context, context.ledger.refresh(), subject):
        time.sleep(random.uniform(0.5, 1.5))


def _measured(
    context: Context, campaign: Campaign, commit: str, outcome: RunOutcome
) -> dict[str, Any] | None:
    """Return what a run of the reference took, as the ledger keeps it."""
    if outcome.reference is None or commit != campaign.reference:
        return None
    return {**outcome.reference, reference.SETTINGS: reference_settings(context)}


def _is_not_compared(metrics: Mapping[str, float]) -> bool:
    """Whether a run was asked at cuts enough, and nobody knows whether its gain holds there."""
    return metrics.get("cuts", 0) >= LEAST_CUTS and "cuts_shortfall_bpb" not in metrics


def _refused(reason: str) -> RunOutcome:
    """Return the outcome of a run that was not begun."""
    return RunOutcome(
        score=None, failure={"class": "refused", "reason": reason}, metrics={}, fingerprint=None,
        jail="not entered", seconds=0.0, curve=(), log_tail="",
    )  # fmt: skip


def _log_file(run: str, outcome: RunOutcome) -> dict[str, bytes]:
    """Failures leave the tail of their log on the ledger; a good run's log stays on its machine."""
    if outcome.failure is None or not outcome.log_tail:
        return {}
    return {f"logs/{run}.txt": outcome.log_tail.encode()[-8000:]}
