"""When the loop needs a human: why it may, and when it counts as fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bot.rules.events import HumanAsked

Reason = Literal[
    "crashes", "baseline", "gpu_hours", "cost_usd", "permissions", "trainings", "base", "unreviewed",
    "machine",
]  # fmt: skip
# How many experiments must begin before it counts as mended. What fails at the end of an experiment, or
# after it, lets the next one begin all the same.
_BEGINNINGS: dict[Reason, int] = {"permissions": 2, "trainings": 2}


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
