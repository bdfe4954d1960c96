"""The stage that ends an experiment because a human said so."""

from __future__ import annotations

from bot.loop.context import Context
from bot.rules.campaign import Campaign, Experiment
from bot.rules.events import ExperimentDecided
from bot.rules.human import is_due, refusal


def refuse(context: Context, campaign: Campaign, experiment: Experiment) -> None:
    """Write the human's verdict down, unless the experiment has begun to land meanwhile."""

    def make(fresh: Campaign) -> list[ExperimentDecided]:
        known = fresh.experiments[experiment.number]
        return [refusal(fresh, known)] if is_due(fresh, known) else []

    context.ledger.append(make)
