"""When a loop ends, and why: every stop condition, with its limit and the row of its reason (`bot.rules.reasons`).

A new condition is a function here under `stop_condition`, with the row of its reason; its limit is a `key` of `Limits`,
which makes it one under `stop:` in the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice, takewhile
from statistics import fmean
from typing import Any, Protocol

from bot.rules.campaign import Campaign
from bot.rules.experiment import Asked, Experiment
from bot.rules.human import is_spent, unread
from bot.rules.reasons import REASONS, Reason, known


def key(about: str, *, usual: object = None, **takes: object) -> Any:
    """A field of `Limits` that is a key under `stop:` of the configuration too: what it means, its value if the
    configuration doesn't name it, and which values it takes, as bounds such as `ge=1`."""
    return field(default=None, metadata={"description": about, "default": usual, **takes})


@dataclass(frozen=True)
class Limits:
    """When the loop ends by itself. null: never for this reason."""

    goal: float | None = key("The incumbent's score reaches this.")
    experiments: int | None = key("So many experiments of the campaign are finished.", ge=1)
    deadline: str | None = key(
        "Local date and time, such as `2026-11-30T07:00`; a time of day is for `nocturne run --until 07:00`.",
        pattern=r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d)?$",
    )
    gpu_hours: float | None = key("Hours of the training device; a CPU stands in if there is no GPU.", gt=0)
    cost_usd: float | None = key("Money for models.", gt=0)
    crashes_in_row: int | None = key("So many experiments crashed one after another.", usual=5, ge=1)
    plateau: int | None = key("So many experiments ended without an improvement.", usual=50, ge=1)
    unread: int | None = None
    """So many merges that nobody has read: improvements are held then, and the loop ends if it `pauses`."""
    pauses: bool = False

    @property
    def end(self) -> datetime | None:
        """The deadline as a moment."""
        return None if self.deadline is None else datetime.fromisoformat(self.deadline).astimezone()


@dataclass(frozen=True)
class Stop:
    """Why a loop ends: the name of a reason, and a sentence with the numbers and the fix."""

    reason: str
    detail: str


def reason_of(name: str) -> Reason:
    """Return what is known of a reason; of one that a newer Nocturne wrote down, its name."""
    return REASONS.get(name, Reason(name))


def is_fixed(asked: Asked) -> bool:
    """Whether what a human was asked for counts as fixed, for so many experiments have begun since."""
    return asked.begun >= reason_of(asked.reason).beginnings


class StopCondition(Protocol):
    """Says why a loop must end, in a sentence with the numbers; None if it may go on. Pure."""

    def __call__(self, campaign: Campaign, limits: Limits, now: datetime) -> str | None: ...


CONDITIONS: list[tuple[Reason, StopCondition]] = []
"""In the order in which a human would ask."""


def stop_condition(reason: Reason) -> Callable[[StopCondition], StopCondition]:
    """Register a stop condition and its reason. They are asked in the order in which they stand here."""

    def register(condition: StopCondition) -> StopCondition:
        CONDITIONS.append((known(reason), condition))
        return condition

    return register


def why_stop(campaign: Campaign, limits: Limits, *, now: datetime) -> Stop | None:
    """Return the first stop condition that holds, None if the loop may go on."""
    for reason, condition in CONDITIONS:
        detail = condition(campaign, limits, now)
        if detail is not None:
            return Stop(reason.name, detail)
    return None


def crash_streak(campaign: Campaign) -> list[Experiment]:
    """Return the newest experiments that crashed one after another since the last `resume`, first to last."""
    return list(takewhile(lambda each: each.verdict == "crashed", _newest(campaign)))[::-1]


def _newest(campaign: Campaign) -> Iterator[Experiment]:
    """Yield the experiments that ended since the last `resume`, last to first."""
    since = islice(reversed(campaign.order), max(0, len(campaign.order) - campaign.resumed_after))
    return (campaign.experiments[number] for number in since)


@stop_condition(Reason("paused", told=False, bot_merges=False))
def _paused(campaign: Campaign, limits: Limits, now: datetime) -> str | None:
    return "paused by a human; `nocturne resume` lets it go on" if campaign.paused else None


@stop_condition(Reason("stopped", onward="`nocturne resume` lets it go on."))
def _stopped(campaign: Campaign, limits: Limits, now: datetime) -> str | None:
    return "stopped by a human; `nocturne resume` lets it go on" if campaign.stop_asked else None


@stop_condition(
    Reason(
        "exhausted", needs_human=True, onward="after a change of the program `nocturne resume` lets it go on."
    )
)
def _exhausted(campaign: Campaign, limits: Limits, now: datetime) -> str | None:
    """Said by a maker that has nothing left to try."""
    stopped = campaign.stopped
    return stopped.detail if stopped is not None and stopped.reason == "exhausted" else None


@stop_condition(Reason("goal", onward="with a further `stop.goal` `nocturne run` goes on."))
def _goal(campaign: Campaign, limits: Limits, now: datetime) -> str | None:
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
    return f"{campaign.metric} {score:.6g} has reached the goal {limits.goal:.6g}" if reached else None


@stop_condition(Reason("experiments", onward="with a higher `stop.experiments` `nocturne run` goes on."))
def _experiments(campaign: Campaign, limits: Limits, now: datetime) -> str | None:
    done = len(campaign.order)
    if limits.experiments is None or done < limits.experiments:
        return None
    said = "1 experiment is" if done == 1 else f"{done} experiments are"
    return f"{said} done, stop.experiments is {limits.experiments}"


@stop_condition(Reason("deadline", onward="with a later `stop.deadline` `nocturne run` goes on."))
def _deadline(campaign: Campaign, limits: Limits, now: datetime) -> str | None:
    if limits.end is None or now < limits.end:
        return None
    return f"the deadline {limits.end:%Y-%m-%d %H:%M} has passed"


@stop_condition(
    Reason(
        "gpu_hours",
        issue="the GPU-hours are used up",
        fix=("Raise `stop.gpu_hours` in `{config}` on the base branch, or let the campaign end here."),
        needs_human=True,
        onward="with a higher `stop.gpu_hours` `nocturne run` goes on.",
        shows="costs",
    )
)
def _gpu_hours(campaign: Campaign, limits: Limits, now: datetime) -> str | None:
    hours = campaign.gpu_seconds() / 3600
    if limits.gpu_hours is None or hours < limits.gpu_hours:
        return None
    return f"{hours:.2f} hours of the training device are used, stop.gpu_hours is {limits.gpu_hours:g}"


@stop_condition(
    Reason(
        "cost_usd",
        issue="the money for models is spent",
        fix=("Raise `stop.cost_usd` in `{config}` on the base branch, or let the campaign end here."),
        needs_human=True,
        onward="with a higher `stop.cost_usd` `nocturne run` goes on.",
        shows="costs",
    )
)
def _cost_usd(campaign: Campaign, limits: Limits, now: datetime) -> str | None:
    money = campaign.cost_usd()
    if limits.cost_usd is None or money < limits.cost_usd:
        return None
    return f"{money:.2f} USD are spent, stop.cost_usd is {limits.cost_usd:g}"


@stop_condition(
    Reason(
        "unreviewed",
        issue="merges wait for a reader",
        fix=(
            "Read some of them, and say so by {approve} or a review there; or read and merge the promotion, "
            "which pays for all. What is held lands by itself then; if the loop has ended, {resume} lets "
            "it go on. How many may wait is `max_unreviewed_merges` in `{config}`."
        ),
        needs_human=True,
        bot_merges=False,
        onward="once enough is read `nocturne run` goes on.",
        shows="held",
    )
)
def _unreviewed(campaign: Campaign, limits: Limits, now: datetime) -> str | None:
    if not limits.pauses or not is_spent(campaign, limits.unread):
        return None
    merged = len(unread(campaign))
    return f"{merged} merged and not read by a human, max_unreviewed_merges is {limits.unread}"


@stop_condition(
    Reason(
        "crashes",
        issue="too many experiments crashed in a row",
        fix=(
            "Read why they crashed, in their pull requests. If the task is at fault, fix it on the "
            "campaign's branch `{branch}`; then let the streak count anew with {resume}."
        ),
        needs_human=True,
        bot_merges=False,
        onward="`nocturne resume` lets it go on once that is fixed.",
        shows="crashes",
    )
)
def _crashes(campaign: Campaign, limits: Limits, now: datetime) -> str | None:
    """Counted from the last `resume`: a human has looked."""
    if limits.crashes_in_row is None:
        return None
    crashes = len(crash_streak(campaign))
    if crashes < limits.crashes_in_row:
        return None
    return f"{crashes} experiments crashed in a row; look at them, then `nocturne resume`"


@stop_condition(
    Reason(
        "plateau", needs_human=True, onward="after a change of the program `nocturne resume` lets it go on."
    )
)
def _plateau(campaign: Campaign, limits: Limits, now: datetime) -> str | None:
    """Counted from the last `resume`: a human has looked."""
    if limits.plateau is None:
        return None
    without = takewhile(lambda each: each.verdict != "improved", _newest(campaign))
    since = sum(each.verdict != "lost" for each in without)
    if since < limits.plateau:
        return None
    return f"{since} experiments without an improvement; change the program, then `nocturne resume`"
