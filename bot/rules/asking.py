"""When the loop needs a human: what the ledger records of it, and when it counts as mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Reason = Literal[
    "crashes", "baseline", "gpu_hours", "cost_usd", "permissions", "trainings", "base", "unreviewed",
    "machine",
]  # fmt: skip
# How many experiments must begin before it counts as mended. What fails at the end of an experiment, or
# after it, lets the next one begin all the same.
_BEGINNINGS: dict[Reason, int] = {"permissions": 2, "trainings": 2}


@dataclass(frozen=True)
class HumanAsked:
    """The loop needs a human, and why. `turn` counts what was said while one issue is open."""

    kind: ClassVar[str] = "human_asked"
    number: int
    turn: int
    reason: Reason
    detail: str

    @property
    def key(self) -> str:
        return f"asked:{self.number}:{self.turn}"


@dataclass(frozen=True)
class HumanTold:
    """The issue says so."""

    kind: ClassVar[str] = "human_told"
    number: int
    turn: int
    issue: int
    url: str

    @property
    def key(self) -> str:
        return f"told:{self.number}:{self.turn}"


@dataclass(frozen=True)
class HumanAnswered:
    """It is mended: the loop goes on, and the issue is closed."""

    kind: ClassVar[str] = "human_answered"
    number: int

    @property
    def key(self) -> str:
        return f"answered:{self.number}"


@dataclass(frozen=True)
class Asked:
    """What a human is needed for now; `issue` says so, as far as `told`. `begun` counts experiments since."""

    number: int
    turn: int
    reason: Reason
    detail: str
    told: bool = False
    issue: int | None = None
    url: str = ""
    begun: int = 0

    @property
    def mended(self) -> bool:
        return self.begun >= _BEGINNINGS.get(self.reason, 1)


def asked_after(before: Asked | None, event: HumanAsked) -> Asked:
    """Return what is asked once `event` is written; the same words again need not be told again."""
    if before is None:
        return Asked(event.number, event.turn, event.reason, event.detail)
    same = (before.reason, before.detail) == (event.reason, event.detail)
    return Asked(
        event.number, event.turn, event.reason, event.detail, before.told and same, before.issue, before.url
    )
