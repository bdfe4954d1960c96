"""Numbers as people read them. One place, so that every page writes a figure the same way."""

from __future__ import annotations

import math

from bot.rules.exactness import margin as after

NOTHING = "–"
MINUS = "\u2212"


def digits_for(sigma: float | None, scores: list[float]) -> int:
    """Return how many decimals a score deserves: about one beyond the noise's first digit, 2 to 6."""
    scale = sigma or (max(scores) - min(scores) if len(scores) > 1 else 0.0)
    if not scale or not math.isfinite(scale):
        return 4
    return max(2, min(6, round(-math.log10(scale)) + 1))


def score(value: float | None, digits: int) -> str:
    """Write a score with `digits` decimals."""
    return NOTHING if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def signed(value: float | None, digits: int) -> str:
    """Write a difference of scores with its sign."""
    return NOTHING if value is None else f"{value:+.{digits}f}".replace("-", MINUS)


def with_margin(value: float | None, margin: float | None, digits: int) -> str:
    """Write a difference and its half width, such as `−0.0021 ± 0.0012`."""
    if value is None or margin is None:
        return signed(value, digits)
    return f"{signed(value, digits)} {after(margin, f'{margin:.{digits}f}')}"


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


def clock(seconds: float) -> str:
    """Write seconds as `0:42`, `5:30` or `8:05:00`, for a column."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def gpu_hours(seconds: float) -> str:
    """Write seconds of the training device as hours."""
    hours = seconds / 3600
    return f"{hours:.1f}" if hours >= 10 else f"{hours:.2f}"


def money(usd: float) -> str:
    """Write an amount in US dollars."""
    return f"{usd:,.2f} USD"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Write `1 run`, `2 runs`, `2,000 runs`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def moment(iso: str | None) -> str:
    """Write an ISO 8601 time to the minute, in UTC as the ledger keeps it."""
    return f"{iso[:16].replace('T', ' ')} UTC" if iso else NOTHING
