"""Runs that were lost to the machine, which say nothing of what was run; and crashes that may be repaired."""

from __future__ import annotations

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished

INFRASTRUCTURE = "infrastructure"
"""The class of such a failure, in the evaluator's word."""
REPAIRABLE = frozenset(
    {"syntax", "import", "out_of_memory", "nan", "error", "killed", "unportable", "no_metric"}
)
"""Failure classes that a small fix may cure. What was refused, or ran out of its time, says no to the change."""
CERTAIN = frozenset({"syntax", "import", "no_metric"})
"""Failure classes that no second run of the same commit would cure."""
AGAIN = 2
"""How often in a row a commit runs again for that."""


def is_lost(run: RunFinished) -> bool:
    """Whether the machine ended the run, and not what was run."""
    return run.failure is not None and run.failure.get("class") == INFRASTRUCTURE


def lost_for_good(campaign: Campaign, commit: str, *, runner: str | None = None) -> list[RunFinished]:
    """Return the newest runs of a commit that were lost one after another, if they are too many to go on;
    those after the last `resume` only, for a human has looked then."""
    lost: list[RunFinished] = []
    for run in reversed(campaign.tries_of(commit, runner=runner)):
        if not is_lost(run) or not campaign.is_late(run):
            break
        lost.insert(0, run)
    return lost if len(lost) > AGAIN else []
