"""One run: lease it, train and score it, write it to the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from bot import words
from bot.errors import UserError
from bot.evaluation import RunOrder, RunOutcome
from bot.ledger import now, stamp
from bot.loop.context import Context, lease_until
from bot.loop.scope import objections
from bot.machine import is_dead
from bot.rules import reference
from bot.rules.campaign import Campaign
from bot.rules.events import LeaseTaken, RunFinished
from bot.rules.lost_runs import AGAIN, lost_for_good
from bot.rules.schedule import next_replicate, run_id, seed_of


def take_lease(context: Context, subject: str) -> bool:
    """Take or renew the lease on `subject`; False where somebody else holds it."""

    def make(campaign: Campaign) -> list[LeaseTaken]:
        lease = campaign.leases.get(subject)
        moment = now()
        free = lease is None or lease.holder == context.holder or is_dead(lease.holder)
        if lease is not None and not free and lease.until > stamp(moment):
            return []
        if subject.removeprefix("run:") in campaign.runs:
            return []
        turn = campaign.lease_turns.get(subject, 0) + 1
        return [LeaseTaken(subject, turn, context.holder, stamp(lease_until(context.config, moment)))]

    lease = context.ledger.append(make).leases.get(subject)
    return lease is not None and lease.holder == context.holder


def is_ours(context: Context, subject: str) -> bool:
    """Whether we hold the lease on `subject` for half its time at least, so that it needs no renewal yet."""
    lease = context.ledger.known().leases.get(subject)
    soon = now() + timedelta(minutes=context.config.lease_minutes / 2)
    return lease is not None and lease.holder == context.holder and lease.until > stamp(soon)


def give_back(context: Context, subject: str) -> None:
    """End our lease on `subject` early, so that another process may go on at once."""
    known = context.ledger.known().leases.get(subject)
    if known is None or known.holder != context.holder or known.until < stamp(now()):
        return  # whoever took it from us wrote that down, and so did we when we ended it

    def make(campaign: Campaign) -> list[LeaseTaken]:
        lease = campaign.leases.get(subject)
        if lease is None or lease.holder != context.holder:
            return []
        return [LeaseTaken(subject, lease.turn + 1, context.holder, stamp(now() - timedelta(seconds=1)))]

    context.ledger.append(make)


def measure(context: Context, commit: str, *, experiment: int | None, title: str) -> RunFinished | None:
    """Make the commit's next run and record it.

    A run of an incumbent (`experiment` None) is leased by itself; None where another loop got there first.
    A candidate's runs go under the lease of their experiment, and only where its tree is the incumbent's
    plus editable files: the review has seen to that, but `editable` may have changed since. Where nobody has
    measured the reference on this machine yet, that is done first; None where it fails.
    """
    if not measure_reference(context, commit):
        return None
    campaign = context.ledger.known()
    first = not any(each.score is not None for each in campaign.runs.values())
    replicate = next_replicate(campaign, commit)
    run = run_id(commit, replicate)
    subject = f"experiment:{experiment}" if experiment is not None else f"run:{run}"
    if experiment is None:
        while not take_lease(context, subject):
            campaign = context.ledger.refresh()
            if run in campaign.runs:
                return None
            replicate += 1
            run = run_id(commit, replicate)
            subject = f"run:{run}"
    seed = seed_of(context.config.seed, replicate)
    renew_at = now() + timedelta(minutes=context.config.lease_minutes / 3)

    def on_event(event: Mapping[str, Any]) -> None:
        nonlocal renew_at
        context.display.run_progress(event)
        if now() >= renew_at:
            take_lease(context, subject)
            renew_at = now() + timedelta(minutes=context.config.lease_minutes / 3)

    context.display.run_started(title=title, replicate=replicate, seed=seed)
    outside = objections(context, campaign, commit) if experiment is not None else ()
    if outside:
        outcome = _refused(outside[0])
    else:
        with context.runs.scratch() as scratch:
            context.git.export(commit, scratch.tree)
            order = RunOrder(
                run, scratch, seed, context.evaluator_settings(), charged_by(context, campaign, commit)
            )
            outcome = context.runs.evaluate(order, on_event)
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
        runner=context.runner,
        seconds=round(outcome.seconds, 3),
        gpu_seconds=round(outcome.seconds, 3),
        curve=outcome.curve,
        reference=_measured(context, campaign, commit, outcome),
        self_reported=context.self_reported(commit) is not None,
    )
    context.ledger.append(lambda _: [finished], lambda _: _log_file(run, outcome))
    context.display.run_finished(finished)
    tokens = words.tokens_scored(finished.metrics)
    if tokens and first:
        context.display.note(tokens)  # with the first score of the campaign
    context.runs.prune()
    return finished


def charged_by(context: Context, campaign: Campaign, commit: str) -> dict[str, Any] | None:
    """Return the measures by which the time of a run of `commit` is charged; None where it is the reference's own,
    or where no time is counted."""
    settings = context.reference_settings()
    if not settings or commit == campaign.reference:
        return None
    return reference.measures(campaign, context.runner, settings)


def measure_reference(context: Context, commit: str) -> bool:
    """Measure the reference here, where a run of `commit` is to be charged by it and nobody has; False where it
    fails."""
    for _ in range(reference.TRIES + AGAIN + 1):
        campaign, settings = context.ledger.known(), context.reference_settings()
        if commit == campaign.reference or not reference.is_missing(campaign, context.runner, settings):
            return True
        failed = reference.failures(campaign, context.runner)
        if len(failed) >= reference.TRIES or lost_for_good(
            campaign, campaign.reference, runner=context.runner
        ):
            break
        require_commit(context, campaign.reference)
        title = "reference (time is charged at its measure)"
        if measure(context, campaign.reference, experiment=None, title=title) is None:
            context.ledger.refresh()  # another loop has made that run meanwhile
    context.display.note("the reference, by which time is charged, could not be measured on this machine")
    return False


def require_commit(context: Context, commit: str) -> None:
    """Have a commit of the campaign in this clone. Raises UserError where it is nowhere to be found."""
    if context.git.resolve(commit) is None:
        context.git.fetch(context.remote.name_or_url, [f"refs/heads/{context.branch}"])
    if context.git.resolve(commit) is None:
        raise UserError(
            f"commit {commit[:12]} of campaign {context.name!r} is nowhere to be found: push it again from the"
            " clone that made it"
        )


def _measured(
    context: Context, campaign: Campaign, commit: str, outcome: RunOutcome
) -> dict[str, Any] | None:
    """Return what a run of the reference took, as the ledger keeps it."""
    if outcome.reference is None or commit != campaign.reference:
        return None
    return {**outcome.reference, reference.SETTINGS: context.reference_settings()}


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
