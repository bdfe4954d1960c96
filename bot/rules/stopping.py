"""When a loop ends, and why. Checked between experiments, in the order in which a human would ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from bot.rules.campaign import Campaign
from bot.rules.experiment import Experiment
from bot.rules.unreviewed import is_spent, unread


@dataclass(frozen=True)
class Limits:
    """The campaign's stop conditions; None never stops. `deadline` is an aware datetime."""

    goal: float | None = None
    experiments: int | None = None
    deadline: datetime | None = None
    gpu_hours: float | None = None
    cost_usd: float | None = None
    crashes_in_row: int | None = None
    plateau: int | None = None
    unread: int | None = None
    """So many merges that nobody has read: improvements are held then, and the loop ends where it `pauses`."""
    pauses: bool = False


@dataclass(frozen=True)
class Stop:
    """Why a loop ends: a fixed word, and a sentence with the numbers and the mend."""

    reason: str
    detail: str


def why_stop(campaign: Campaign, limits: Limits, *, now: datetime) -> Stop | None:
    """Return the first stop condition that holds, None where the loop may go on."""
    if campaign.paused:
        return Stop("paused", "paused by a human; `nocturne resume` lets it go on")
    if campaign.stop_asked:
        return Stop("stopped", "stopped by a human; `nocturne resume` lets it go on")
    if campaign.stopped is not None and campaign.stopped.reason == "exhausted":
        return Stop("exhausted", campaign.stopped.detail)
    return (
        _goal(campaign, limits)
        or _budgets(campaign, limits, now)
        or _unread(campaign, limits)
        or _streaks(campaign, limits)
    )


def _unread(campaign: Campaign, limits: Limits) -> Stop | None:
    if not limits.pauses or not is_spent(campaign, limits.unread):
        return None
    return Stop(
        "unreviewed",
        f"{len(unread(campaign))} merged and not read by a human, max_unreviewed_merges is {limits.unread}",
    )


def _goal(campaign: Campaign, limits: Limits) -> Stop | None:
    if limits.goal is None or not campaign.incumbents:
        return None
    scale = campaign.scale_of(campaign.incumbent)
    if scale is None:
        return None
    scores = campaign.scores_of(campaign.incumbent, runner=scale[0], fingerprint=scale[1])
    if len(scores) < 2:
        return None
    score = fmean(scores)
    reached = score <= limits.goal if campaign.direction == "minimize" else score >= limits.goal
    if not reached:
        return None
    return Stop("goal", f"{campaign.metric} {score:.6g} has reached the goal {limits.goal:.6g}")


def _budgets(campaign: Campaign, limits: Limits, now: datetime) -> Stop | None:
    done = len(campaign.order)
    if limits.experiments is not None and done >= limits.experiments:
        said = "1 experiment is" if done == 1 else f"{done} experiments are"
        return Stop("experiments", f"{said} done, stop.experiments is {limits.experiments}")
    if limits.deadline is not None and now >= limits.deadline:
        return Stop("deadline", f"the deadline {limits.deadline:%Y-%m-%d %H:%M} has passed")
    hours = campaign.gpu_seconds() / 3600
    if limits.gpu_hours is not None and hours >= limits.gpu_hours:
        return Stop("gpu_hours", f"{hours:.2f} GPU-hours are used, stop.gpu_hours is {limits.gpu_hours:g}")
    money = campaign.cost_usd()
    if limits.cost_usd is not None and money >= limits.cost_usd:
        return Stop("cost_usd", f"{money:.2f} USD are spent, stop.cost_usd is {limits.cost_usd:g}")
    return None


def _streaks(campaign: Campaign, limits: Limits) -> Stop | None:
    """Streaks count from the last `resume`: a human has looked."""
    recent = [e.verdict for e in campaign.finished()[campaign.resumed_after :]]
    crashes = len(crash_streak(campaign))
    if limits.crashes_in_row is not None and crashes >= limits.crashes_in_row:
        return Stop(
            "crashes", f"{crashes} experiments crashed in a row; look at them, then `nocturne resume`"
        )
    since = 0
    for verdict in reversed(recent):
        if verdict == "improved":
            break
        since += verdict != "lost"
    if limits.plateau is not None and since >= limits.plateau:
        return Stop(
            "plateau",
            f"{since} experiments without an improvement; change the program, then `nocturne resume`",
        )
    return None


def crash_streak(campaign: Campaign) -> list[Experiment]:
    """Return the newest experiments that crashed one after another since the last `resume`, first to last."""
    streak: list[Experiment] = []
    for experiment in reversed(campaign.finished()[campaign.resumed_after :]):
        if experiment.verdict != "crashed":
            break
        streak.insert(0, experiment)
    return streak
