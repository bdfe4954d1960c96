"""Metrics out of what a command prints: `METRIC name=value` lines, or lines that are a JSON object of numbers."""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Mapping, Sequence

MOST_METRICS = 200
_METRIC = re.compile(r"^\s*METRIC\s+([A-Za-z_][\w.\-/]{0,79})\s*=\s*(\S{1,40})\s*$")


def read_metrics(lines: Sequence[str]) -> dict[str, float]:
    """Return the finite numbers that `lines` state, at most `MOST_METRICS`; the last word on each counts."""
    found: dict[str, float] = {}
    for line in lines:
        for name, value in _stated(line).items():
            if math.isfinite(value) and (name in found or len(found) < MOST_METRICS):
                found[name] = value
    return found


def is_stated(lines: Sequence[str], name: str) -> bool:
    """Return whether any line states a number for `name`, finite or not."""
    return any(name in _stated(line) for line in lines)


def medians(repeats: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each metric over `repeats`; one that is not in all of them is left out."""
    names = [name for name in repeats[0] if all(name in each for each in repeats)]
    return {name: statistics.median(each[name] for each in repeats) for name in names}


def _stated(line: str) -> dict[str, float]:
    """Return the numbers of one line, those that are not finite among them."""
    match = _METRIC.match(line)
    if match:
        try:
            return {match[1]: float(match[2])}
        except ValueError:
            return {}
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {
        name: _float(each)
        for name, each in value.items()
        if isinstance(each, int | float) and not isinstance(each, bool)
    }


def _float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
