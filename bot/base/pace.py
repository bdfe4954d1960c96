"""How long what is under way still takes by the clock on the wall, whatever its budget is counted in."""

from __future__ import annotations

import time

_ENOUGH = 0.02  # of the whole, before anything can be said


class Pace:
    """Learns from how far something is at each look; the start before the first one is no part of it."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None

    def left(self, fraction: float) -> float | None:
        """Return about how many seconds are left now that `fraction` is done, None if nobody can tell."""
        now = time.monotonic()
        if self._first is None:
            self._first = now, fraction
        began, at = self._first
        if fraction - at <= _ENOUGH or fraction >= 1:
            return None
        return (now - began) * (1 - fraction) / (fraction - at)
