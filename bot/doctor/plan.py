"""What a campaign still has before it: how many experiments, and what each one costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from bot.config import Config
from bot.rules.campaign import Campaign
from bot.rules.stopping import Limits

ASSUMED_RUNS = 2.5  # of one experiment, its incumbent's and its merge included, until the ledger tells
ENOUGH = 5  # finished experiments from which the ledger tells


@dataclass(frozen=True)
class Plan:
    """Experiments still to come, and the cost of one: None if nothing tells.

    `bound` names the key that limits their number, "" where none does. `runs_known` says whether
    `runs_each` was counted or assumed; seconds are of the training device.
    """

    experiments: int | None
    bound: str
    runs_each: float
    runs_known: bool
    seconds_per_run: float | None
    usd_each: float | None

    @property
    def seconds_each(self) -> float | None:
        return None if self.seconds_per_run is None else self.seconds_per_run * self.runs_each

    @property
    def gpu_hours(self) -> float | None:
        """Hours that all experiments still to come take."""
        if self.experiments is None or self.seconds_each is None:
            return None
        return self.experiments * self.seconds_each / 3600


def plan_of(
    campaign: Campaign, config: Config, limits: Limits, *, now: datetime, run_seconds: float | None
) -> Plan:
    """Return the plan; `run_seconds` is what a run takes that was measured just now, if any was."""
    done = len(campaign.order)
    runs_known = done >= ENOUGH
    seconds = fmean(run.gpu_seconds for run in campaign.runs.values()) if campaign.runs else run_seconds
    each = len(campaign.runs) / done if runs_known else ASSUMED_RUNS
    count: int | None = None
    bound = ""
    if limits.experiments is not None:
        count, bound = max(limits.experiments - done, 0), "stop.experiments"
    if limits.deadline is not None:
        left = max((limits.deadline - now).total_seconds(), 0.0)
        fit = int(left / (seconds * each)) if seconds else None
        if fit is not None and (count is None or fit < count):
            count, bound = fit, "stop.deadline"
        bound = bound or "stop.deadline"
    return Plan(count, bound, each, runs_known, seconds, _usd_each(campaign, config))


def _usd_each(campaign: Campaign, config: Config) -> float | None:
    """Return what the models cost for one experiment; the offline search costs nothing."""
    spent = [
        e.proposal.cost_usd + campaign.bills.of_experiment(e.number).usd
        for e in campaign.experiments.values()
        if e.proposal is not None
    ]
    if "claude" not in (config.proposer, config.reviewer) and not campaign.bills.total.calls:
        return 0.0
    return fmean(spent) if spent else None
