"""What a campaign will take: the time and the price of an experiment, and how many a night holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from bot.config import Config
from bot.loop.context import Context
from bot.loop.files import needed_to_train
from bot.loop.settings import limits
from bot.rules.campaign import Campaign
from bot.rules.stopping import Limits
from bot.tell import numbers

NIGHT = 10.0  # hours
_BUDGET = re.compile(r"(?m)^TIME_BUDGET\s*(?::\s*\w+\s*)?=\s*([\d_]+(?:\.\d+)?)\s*(?:#.*)?$")
ASSUMED_RUNS = 3.5
"""Runs of an experiment, its incumbent's and its merge included, until the ledger tells (`make bench-demo`)."""
ENOUGH = 5  # finished experiments from which the ledger tells


@dataclass(frozen=True)
class Plan:
    """Experiments still to come, and the cost of one: None if nothing tells.

    `bound` names the key that limits their number, "" if none does. `runs_known` says whether
    `runs_each` was counted or assumed; seconds are of the training device.
    """

    experiments: int | None
    bound: str
    runs_each: float
    runs_known: bool
    seconds_per_run: float | None
    usd_each: float | None
    by_budget: bool = False
    """Whether `seconds_per_run` is the budget alone, without start and scoring."""

    @property
    def seconds_each(self) -> float | None:
        return None if self.seconds_per_run is None else self.seconds_per_run * self.runs_each

    @property
    def run_words(self) -> str:
        """What a run takes, for people."""
        said = numbers.about(self.seconds_per_run or 0.0)
        return f"{said} by its budget, besides start and scoring," if self.by_budget else said

    @property
    def gpu_hours(self) -> float | None:
        """Hours that all experiments still to come take."""
        if self.experiments is None or self.seconds_each is None:
            return None
        return self.experiments * self.seconds_each / 3600


def plan_of(
    campaign: Campaign, config: Config, limits: Limits, *, now: datetime, run_seconds: float | None,
    budget: float | None = None,
) -> Plan:  # fmt: skip
    """Return the plan; `run_seconds` is what a run takes that was measured just now, if any was, and `budget` what one
    trains at least, if that is known."""
    done = len(campaign.order)
    runs_known = done >= ENOUGH
    seconds = fmean(run.gpu_seconds for run in campaign.runs.values()) if campaign.runs else run_seconds
    by_budget = seconds is None and budget is not None
    seconds = budget if seconds is None else seconds
    each = len(campaign.runs) / done if runs_known else ASSUMED_RUNS
    count: int | None = None
    bound = ""
    if limits.experiments is not None:
        count, bound = max(limits.experiments - done, 0), "stop.experiments"
    if limits.end is not None:
        left = max((limits.end - now).total_seconds(), 0.0)
        fit = int(left / (seconds * each)) if seconds else None
        if fit is not None and (count is None or fit < count):
            count, bound = fit, "stop.deadline"
        bound = bound or "stop.deadline"
    return Plan(count, bound, each, runs_known, seconds, _usd_each(campaign, config), by_budget)


def _usd_each(campaign: Campaign, config: Config) -> float | None:
    """Return what the models cost for one experiment; without a model it costs nothing."""
    spent = [
        e.proposal.cost_usd + campaign.bills.of_experiment(e.number).usd
        for e in campaign.experiments.values()
        if e.proposal is not None
    ]
    if (config.proposer, config.reviewer) == ("offline", "rules") and not campaign.bills.total.calls:
        return 0.0
    return fmean(spent) if spent else None


def night(plan: Plan) -> str:
    """Say how many trainings and experiments a night holds at this rate and price."""
    if not plan.seconds_per_run or not plan.seconds_each:
        return "what a night holds is not known"
    trainings, experiments = (int(NIGHT * 3600 / each) for each in (plan.seconds_per_run, plan.seconds_each))
    said = (
        f"a night of {NIGHT:g} hours holds about {numbers.count(trainings, 'training')}, that is"
        f" {numbers.count(experiments, 'experiment')}"
    )
    return f"{said}, for {numbers.money(plan.usd_each * experiments)}" if plan.usd_each else said


def outlook(context: Context, campaign: Campaign, now: datetime) -> str:
    """Say after a campaign's first run what a night holds, and the number of experiments that is its end, if one is."""
    plan = plan_of(campaign, context.config, limits(context.config), now=now, run_seconds=None)
    said = f"a run takes {plan.run_words} here: {night(plan)}"
    return said if plan.experiments is None else f"{said}; {plan.bound} leaves {plan.experiments}"


def budget_of(context: Context, commit: str) -> float | None:
    """Return the seconds that a run of `commit` trains by its budget, None if no budget of time says."""
    task = context.config.evaluator
    if task.kind != "train" or task.budget.kind == "steps":
        return None
    if task.budget.amount is not None:
        return task.budget.amount
    content = context.git.read_blob(commit, needed_to_train(context, commit)[1]) or b""
    found = _BUDGET.search(content.decode(errors="replace"))
    return None if found is None else float(found[1].replace("_", ""))
