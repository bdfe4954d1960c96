"""Numbers as people read them. One place, so that every page writes a figure the same way."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bot.rules.statistics import EACH_END

LEVEL = f"{round(100 * (2 * EACH_END - 1))} %"
"""How sure the interval is that every `±` stands for."""
LEVEL_NOTE = f"± is a {LEVEL} interval: {round(100 * EACH_END)} % confidence at each end."
NOTHING = "–"
MINUS = "\u2212"
REPEATED = "(repeats exactly)"
"""Stands where a difference has no margin."""


def places(uncertainty: float) -> int:
    """Return how many decimals show two significant digits of an uncertainty; between 2 and 8."""
    found = 2
    while found < 8 and abs(uncertainty) * 10**found < 10:
        found += 1
    return found


def digits_for(sigma: float | None, scores: Sequence[float]) -> int:
    """Return how many decimals the scores of a campaign deserve, by their noise or else their spread; 2 to 6."""
    scale = sigma or (max(scores) - min(scores) if len(scores) > 1 else 0.0)
    return min(6, places(scale)) if scale and math.isfinite(scale) else 4


def decimals(value: float | None, digits: int, sign: str = "") -> str:
    """Write a figure with so many decimals; one too large for that with six digits. `sign` "+" shows its sign."""
    if value is None:
        return NOTHING
    said = f"{value:{sign}.{digits}f}" if abs(value) < 1e9 else f"{value:{sign}.6g}"
    return said.replace("-", MINUS) if said.strip("+-0.") else said.lstrip("+-")  # nothing has no sign


def number(value: float) -> str:
    """Write a score of which nothing else is known: six significant digits."""
    return f"{value:.6g}".replace("-", MINUS)


def margin(value: float | None, half_width: float | None, digits: int, sign: str = "+") -> str:
    """Write a difference and its half width, `−0.0021 ± 0.0012`, or that the metric repeats exactly."""
    said = decimals(value, digits, sign)
    if value is None or half_width is None:
        return said
    return f"{said} ± {decimals(half_width, digits)}" if half_width else f"{said} {REPEATED}"


def duration(seconds: float | None) -> str:
    """Write seconds as `42 s`, `5 min 30 s` or `8 h 05 min`."""
    if seconds is None:
        return NOTHING
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def about(seconds: float) -> str:
    """Write an estimate of seconds as `6.1 s`, `5 min` or `10.0 h`."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def clock(seconds: float) -> str:
    """Write seconds as `0:42`, `5:30` or `8:05:00`, for a column."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def device_hours(seconds: float) -> str:
    """Write seconds of the training device as hours."""
    hours = seconds / 3600
    return f"{hours:.1f}" if hours >= 10 else f"{hours:.2f}"


def memory(mb: float | None) -> str:
    """Write MiB, large ones as GiB."""
    if mb is None:
        return NOTHING
    return f"{mb / 1024:.1f} GiB" if mb >= 1024 else f"{mb:.0f} MiB"


def percent(share: float, digits: int = 0) -> str:
    """Write a share of one as `36 %`."""
    return f"{100 * share:.{digits}f} %"


def money(usd: float) -> str:
    """Write an amount in US dollars."""
    return f"{usd:,.2f} USD"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Write `1 run`, `2 runs`, `2,000 runs`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def moment(iso: str | None) -> str:
    """Write an ISO 8601 time to the minute, in UTC as the ledger keeps it."""
    return f"{iso[:16].replace('T', ' ')} UTC" if iso else NOTHING
