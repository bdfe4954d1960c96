"""How the time went: how long the training device ran, for what, and what it waited for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.lost_runs import is_lost


@dataclass(frozen=True)
class Use:
    """Seconds of the wall, from the first run of an experiment to the end of the last run, without the time between a
    stop and the next run.

    `running` is what runs took, start and score included, and `useful` those that could change a verdict. The rest was
    waited: for an experiment to be `prepared`, for other work that was not done yet when a run ended (`late`), and for
    the next run to begin (`between`).
    """

    wall: float
    running: float
    useful: float
    prepared: float
    late: float
    between: float


def is_useful(campaign: Campaign, run: RunFinished) -> bool:
    """Whether a run could change a verdict: not one that the machine lost, that only measures what was gained, or that
    measures the review by a change it rejected."""
    experiment = campaign.experiments.get(run.experiment or 0)
    return not (is_lost(run) or run.beside or (experiment is not None and experiment.drawn))


def run_span(campaign: Campaign, run: RunFinished) -> tuple[float, float]:
    """Return when a run began and ended, in seconds since 1970."""
    end = _seconds(campaign.run_times[run.run]) - run.late
    return end - run.seconds, end


def use_of(campaign: Campaign) -> Use | None:
    """Return how the time went since the first experiment's first run; None before there are two runs since."""
    runs = list(campaign.runs.values())
    first = next((place for place, run in enumerate(runs) if run.experiment is not None), len(runs))
    stops = [_seconds(at) for _, at in campaign.stops]
    wall = running = useful = prepared = late = between = 0.0
    before: tuple[RunFinished, float] | None = None
    for run in runs[first:]:
        began, end = run_span(campaign, run)
        if before is not None:
            last, over = before
            # Several loops run at once: what overlaps counts once.
            began = min(max(began, over), max(end, over))
            gap = began - over
            if not any(over <= stop <= began for stop in stops):
                wall += gap
                waited = min(last.late, gap)
                late += waited
                if _is_prepared_after(campaign, run, over):
                    prepared += gap - waited
                else:
                    between += gap - waited
        took = max(end - began, 0.0)
        wall += took
        running += took
        useful += took if is_useful(campaign, run) else 0.0
        before = run, max(end, began)
    if len(runs) - first < 2 or not wall:
        return None
    return Use(wall, running, useful, prepared, late, between)


def _is_prepared_after(campaign: Campaign, run: RunFinished, over: float) -> bool:
    """Whether a run had to wait for its experiment, which was begun after the run before had ended."""
    experiment = campaign.experiments.get(run.experiment or 0)
    return experiment is not None and _seconds(experiment.claimed_at) >= over


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp() if at else 0.0
