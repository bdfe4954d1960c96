"""Why a loop ends or needs a human, one row for each reason: who is told, what follows, what is said.

Here are the reasons that no stop condition finds; the others stand with their conditions in `bot.rules.stopping`, whose
`reason_of` knows all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Reason:
    """Why a loop ends or needs a human, and what follows from it everywhere."""

    name: str
    told: bool = True
    """Whether people are told at once. Not if a human asked for it, or sits before the terminal."""
    needs_human: bool = False
    """Whether only a human can fix it, or must decide: messages begin with that."""
    bot_merges: bool = True
    """Whether the bot may still merge the promotion by itself (`promotion.merge: bot`)."""
    issue: str = ""
    """Title of the campaign's issue that asks for a human, empty if none is opened."""
    fix: str = ""
    """What the issue says on how to fix it, with places for branch, config, resume and approve."""
    shows: Literal["crashes", "runs", "costs", "held", "open"] = "open"
    """What the issue shows of what was tried."""
    onward: str = ""
    """What lets it go on, in a sentence, if starting a loop is not enough."""
    beginnings: int = 1
    """How many experiments must begin before it counts as fixed. What fails at the end of an experiment, or after it,
    lets the next one begin all the same."""


REASONS: dict[str, Reason] = {}


def known(reason: Reason) -> Reason:
    """Take a reason into the table."""
    if reason.name in REASONS:
        raise ValueError(f"two reasons are called {reason.name}")
    REASONS[reason.name] = reason
    return reason


REQUESTED = known(Reason("requested", told=False))
BASELINE = known(
    Reason(
        "baseline",
        issue="the incumbent itself fails",
        fix=(
            "Read the failure, fix the task on the campaign's branch `{branch}` and push it; then let the "
            "loop go on with {resume}."
        ),
        needs_human=True,
        bot_merges=False,
        onward="`nocturne resume` lets it go on once that is fixed.",
        shows="runs",
    )
)
MACHINE = known(
    Reason(
        "machine",
        issue="the machine loses its runs",
        fix=(
            "Look at the runner: its devices (`nvidia-smi -q`, the kernel's log), its memory and its disk. "
            "The task is not to blame, and no experiment was blamed. Then let the loop go on with {resume}."
        ),
        needs_human=True,
        bot_merges=False,
        onward="`nocturne resume` lets it go on once that is fixed.",
        shows="runs",
    )
)
PERMISSIONS = known(
    Reason(
        "permissions",
        issue="GitHub refuses what the loop must do",
        fix=(
            "Do what the message says: most often a line under `permissions:` in the workflow, or a setting "
            "of the repository. `nocturne doctor` names all that is lacking."
        ),
        beginnings=2,
    )
)
TRAININGS = known(
    Reason(
        "trainings",
        issue="its trainings get lost",
        fix=(
            "Look at the log of the training job and at its runner: it is off, out of memory or out of time. "
            "The workflow's schedule begins the next chain by itself."
        ),
        beginnings=2,
    )
)
BASE = known(
    Reason(
        "base",
        issue="the base branch and the campaign don't fit together",
        fix=(
            "Merge the base branch into `{branch}` by hand, settle the conflict, and push `{branch}`: its "
            "head is the incumbent then, and is measured anew."
        ),
    )
)
