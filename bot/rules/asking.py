"""What a human is needed for now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.rules.events import HumanAsked


@dataclass(frozen=True)
class Asked:
    """What a human is needed for now; `issue` says so, as far as `told`. `begun` counts experiments since."""

    number: int
    turn: int
    reason: str
    detail: str
    told: bool = False
    issue: int | None = None
    url: str = ""
    begun: int = 0


def asked_after(before: Asked | None, event: HumanAsked) -> Asked:
    """Return what is asked once `event` is written; the same words again need not be told again."""
    if before is None:
        return Asked(event.number, event.turn, event.reason, event.detail)
    same = (before.reason, before.detail) == (event.reason, event.detail)
    return Asked(
        event.number, event.turn, event.reason, event.detail, before.told and same, before.issue, before.url
    )
