"""How large what is measured may be; `bot.rules.bounds` has the same bound.

A loss that diverged can still be a finite number. It is no measurement, and arithmetic on it overflows.
"""

from __future__ import annotations

from collections.abc import Mapping

LARGEST = 1e30  # a score or a metric, in magnitude


def measurable(value: float) -> bool:
    """Say whether `value` can be a score or a metric: finite, and of a size that means something."""
    return abs(value) <= LARGEST


def within(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics that can be measurements."""
    return {name: value for name, value in metrics.items() if measurable(value)}
