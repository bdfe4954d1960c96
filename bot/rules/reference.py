"""The reference: what the task itself needs besides its budget, measured on the last commit that a human wrote.

The evaluator measures it and charges candidates by it; here is decided which commit that is, which of its measures
hold, and that they lack. Measures are the evaluator's own JSON, all numbers and short texts.
"""

from __future__ import annotations

from typing import Any

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.lost_runs import is_lost

SETTINGS = "settings"
"""The key under which a run keeps, beside the measures, a digest of the settings that they hold for."""
TRIES = 2
_NEWEST = 5
_ALIKE = 0.1  # of the machine: runs with so much more company than the quietest are left out
_MOST = ("startup", "startup_wall", "step", "hand_in", "exam", "evaluation_wall")
_LEAST = ("ready_cpu", "ready_wall")


def measures(campaign: Campaign, runner: str, settings: str) -> dict[str, Any] | None:
    """Return what candidates are charged by on one kind of runner under these settings; None if nobody has
    measured it yet.

    One run is one draw: of several, the quiet ones count, and of those what took longest.
    """
    found = [run.reference for run in _measuring(campaign, runner, settings) if run.reference is not None]
    found = found[-_NEWEST:]
    if not found:
        return None
    least = min(float(each.get("others", 0.0)) for each in found)
    quiet = [each for each in found if float(each.get("others", 0.0)) <= least + _ALIKE]
    whole = max(quiet, key=lambda each: float(each.get("training", 0.0)))
    known: dict[str, Any] = {name: value for name, value in whole.items() if name != SETTINGS}
    for names, choose in ((_MOST, max), (_LEAST, min)):
        known |= {name: choose(each[name] for each in quiet) for name in names if name in whole}
    return known


def _measuring(campaign: Campaign, runner: str, settings: str) -> list[RunFinished]:
    return [
        run
        for run in campaign.runs_of(campaign.reference, runner=runner)
        if run.reference is not None and run.reference.get(SETTINGS) == settings
    ]


def is_missing(campaign: Campaign, runner: str, settings: str) -> bool:
    """Whether the reference has to be measured on this kind of runner; never if `settings` is empty, for then
    no time is counted."""
    return bool(settings) and not _measuring(campaign, runner, settings)


def failures(campaign: Campaign, runner: str) -> list[RunFinished]:
    """Return the newest runs of the reference that failed one after another and not by the machine, since the last
    `resume`."""
    failed: list[RunFinished] = []
    for run in reversed(campaign.runs_of(campaign.reference, runner=runner)):
        if run.score is not None or not campaign.is_late(run):
            break
        if not is_lost(run):
            failed.insert(0, run)
    return failed
