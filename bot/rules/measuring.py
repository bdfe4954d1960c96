"""What is measured of the head before a step: side by side with its baseline, and, if that falls short, its merges."""

from __future__ import annotations

from collections.abc import Callable

from bot.rules.campaign import Campaign
from bot.rules.confirming import Beside, is_closing, next_run, pairs_due
from bot.rules.halving import Doubt, next_cut
from bot.rules.schedule import Begin, Standing, Step, Wait, is_fresh, is_run_held, next_experiment
from bot.rules.statistics import Noise
from bot.rules.stopping import Stop

_ENDS = frozenset({"goal", "experiments", "exhausted", "plateau", "requested"})
"""Reasons for which a night ends with time left."""


def before(
    step: Step, campaign: Campaign, standing: Standing, seed: int, noise: Callable[[], Noise]
) -> Step | Beside | Doubt:
    """Return what is due before `step` is done: a run side by side, a merge that does not hold and is to be taken out,
    or the experiment that takes it out; else `step`. `seed` is the campaign's, `noise` that of a run."""
    at_end = isinstance(step, Stop) and step.reason in _ENDS
    begins = isinstance(step, Begin) or is_fresh(campaign, step)
    at_end |= begins and is_closing(campaign, standing.limits, standing.now)
    if not at_end and not begins:
        return step
    if campaign.reverts_waiting:  # the head will be another one
        ours = campaign.reverts_waiting[0] in campaign.doubted
        return next_experiment(campaign) if isinstance(step, Stop) and ours else step
    scale = standing.runner, standing.fingerprint
    pair = next_run(campaign, scale, pairs_due(campaign, at_end=at_end), seed)
    due = pair or next_cut(campaign, scale, noise)
    if isinstance(due, Beside) and is_run_held(campaign, due.commit, standing):
        return Wait("another loop measures the head") if isinstance(step, Stop) else step
    return due or step
