"""How sure a merge must be, in a user's words; what each asks for stands in `bot.rules.decision`."""

from __future__ import annotations

from typing import Literal, get_args

Aim = Literal["careful", "balanced", "fast"]
AIMS: tuple[Aim, ...] = get_args(Aim)
