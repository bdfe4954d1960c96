"""Experiments that are prepared while something else trains, on the likelier outcome: that their parent stays. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment


@dataclass(frozen=True)
class Record:
    """What became of the experiments that were prepared ahead, and what those cost that came to nothing."""

    prepared: int = 0
    trained: int = 0
    carried: int = 0
    """Of the trained ones: how many were put on a newer incumbent first."""
    dropped: int = 0
    dropped_usd: float = 0.0


def is_untrained(campaign: Campaign, experiment: Experiment) -> bool:
    """Whether it was prepared ahead, and nothing of it has run yet: it comes after whatever a new one comes after."""
    begun = experiment.decision is not None or experiment.finished_at is not None
    return experiment.ahead and not begun and not campaign.runs_by_experiment.get(experiment.number)


def is_stale(campaign: Campaign, experiment: Experiment) -> bool:
    """Whether the incumbent has changed under an experiment that was prepared ahead, before anything of it ran."""
    return is_untrained(campaign, experiment) and experiment.parent != campaign.incumbent


def is_dropped(campaign: Campaign, experiment: Experiment) -> bool:
    """Whether it ended without a run because it did not fit the newer incumbent, or that held it already."""
    ended = experiment.finished_at is not None and experiment.verdict in ("lost", "inconclusive")
    return experiment.ahead and ended and not campaign.runs_by_experiment.get(experiment.number)


def cost_usd(campaign: Campaign, experiment: Experiment) -> float:
    """Return what models cost for one experiment."""
    proposed = experiment.proposal.cost_usd if experiment.proposal is not None else 0.0
    return proposed + campaign.bills.of_experiment(experiment.number).usd


def record_of(campaign: Campaign) -> Record:
    """Return what became of all that was prepared ahead."""
    prepared = [e for e in campaign.experiments.values() if e.ahead and e.proposal is not None]
    trained = [e for e in prepared if campaign.runs_by_experiment.get(e.number)]
    dropped = [e for e in prepared if is_dropped(campaign, e)]
    carried = [e for e in trained if e.carried]
    spent = sum(cost_usd(campaign, e) for e in dropped)
    return Record(len(prepared), len(trained), len(carried), len(dropped), spent)
