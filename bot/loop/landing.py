"""The stage that moves the campaign's branch to exactly the commit that was tested."""

from __future__ import annotations

from bot.loop.by_hand import heed
from bot.loop.context import Context, limits
from bot.loop.proposing import ensure_commit
from bot.loop.publishing import state_verdict
from bot.rules.campaign import Campaign, Experiment
from bot.rules.events import ExperimentLanded, LandingBegun
from bot.rules.unreviewed import waits


def land(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Move the campaign's branch to exactly the commit that was tested, by fast-forward.

    That it is about to is written down first, unless a human has rejected the experiment meanwhile, or another one
    has landed that must be read before: of the words on the ledger the first one counts.
    """
    assert experiment.candidate is not None
    candidate, number = experiment.candidate, experiment.number
    if heed(context, experiment):
        return
    ensure_commit(context, experiment)
    if not experiment.is_held:  # else it was said when it began to wait
        state_verdict(context, campaign, experiment)
    limit = limits(context.config).unread

    def make(fresh: Campaign) -> list[LandingBegun]:
        known = fresh.experiments[number]
        over = known.landing == candidate.round or known.round != candidate.round
        held = waits(fresh, known, limit)
        return [] if over or held or number in fresh.refused else [LandingBegun(number, candidate.round)]

    if context.ledger.append(make).experiments[number].landing != candidate.round:
        return
    if context.forge.land(context.branch, candidate.commit, candidate.parent) == "moved":
        return  # the next step sees whose commit stands there, and measures again
    record_landing(context, experiment)


def record_landing(context: Context, experiment: Experiment) -> None:
    """Write down that the experiment's commit is the branch's head now."""
    assert experiment.candidate is not None
    event = ExperimentLanded(experiment.number, experiment.candidate.commit, experiment.candidate.parent)
    context.ledger.append(
        lambda c: (
            [event]
            if c.experiments[experiment.number].landed is None and c.incumbent == event.previous
            else []
        )
    )
