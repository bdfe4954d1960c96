"""Crashes that may be mended within their experiment: what the ledger records of them, and which ones may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

REPAIRABLE = frozenset({"syntax", "import", "out_of_memory", "nan", "error", "killed", "unportable"})
"""Failure classes that a small mend may cure. What was refused, or ran out of its time, says no to the change."""


@dataclass(frozen=True)
class CrashSentBack:
    """The candidate of `round` crashed in `run`, and its maker may mend it: no verdict yet.

    `reason` is class and reason of the failure. Two ends follow: a revised proposal, or the verdict.
    """

    kind: ClassVar[str] = "crash_sent_back"
    experiment: int
    round: int
    run: str
    reason: str

    @property
    def key(self) -> str:
        return f"sent_back:{self.experiment}:{self.round}"
