"""What this process does next: the rules' choice, as it stands here and now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from bot.ledger import now
from bot.ledger.holder import is_dead
from bot.loop.context import Context
from bot.loop.gestures import hear_reviews
from bot.loop.settings import audits_are_made, limits, noise_of, reference_settings
from bot.rules.campaign import Campaign
from bot.rules.confirming import Beside
from bot.rules.halving import Doubt
from bot.rules.measuring import before
from bot.rules.reasons import REQUESTED
from bot.rules.schedule import Standing, Step, is_to_close, next_step
from bot.rules.statistics import Noise
from bot.rules.stopping import Limits, Stop


@dataclass(frozen=True)
class Until:
    """How far one call goes: a number of experiments that it may finish, and a time.

    `is_the_end` is False if another call goes on at once: reaching the number is then no event.
    """

    experiments: int | None = None
    deadline: datetime | None = None
    is_the_end: bool = True


def step_of(context: Context, campaign: Campaign, until: Until, finished: int) -> Step | Beside | Doubt:
    """Choose what this call does next; `finished` experiments are done."""
    stands = standing(context, campaign, limits(context.config, until=until.deadline))
    closing = sum(is_to_close(campaign, each) for each in campaign.open_experiments())
    last = until.experiments is not None and finished + closing >= until.experiments
    stands = replace(stands, overlaps=context.meanwhile is not None and not last)
    step: Step
    if until.experiments is not None and finished >= until.experiments:
        step = Stop(
            REQUESTED.name, f"{finished} experiment{'s' if finished != 1 else ''} asked for, and done"
        )
        if not until.is_the_end:
            return step
    else:
        step = choose(context, campaign, stands)

    def noise() -> Noise:
        return noise_of(campaign, context.config, stands.runner, stands.fingerprint)

    return before(step, campaign, stands, context.config.seed, noise)


def choose(context: Context, campaign: Campaign, stands: Standing) -> Step:
    """Choose the next step for this process; before it ends for want of a reader, reviews are looked for."""
    step = next_step(campaign, stands)
    if isinstance(step, Stop) and step.reason == "unreviewed":
        step = next_step(hear_reviews(context, campaign), stands)
    return step


def standing(context: Context, campaign: Campaign, until: Limits) -> Standing:
    """Return where this process stands."""
    return Standing(
        holder=context.holder,
        now=now(),
        runner=context.runner,
        fingerprint=campaign.fingerprints.get(context.runner),
        limits=until,
        incumbent_runs=context.config.verdict.baseline_runs,
        remeasure_every=context.config.verdict.remeasure_every,
        is_dead=is_dead,
        settings=reference_settings(context),
        prior_sigma=context.config.verdict.prior_sigma,
        audits=audits_are_made(context.config),
    )
