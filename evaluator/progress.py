"""Step, loss and speed out of what a training prints, and a learning curve thinned to a few points.

These are the candidate's own words: good for a chart, never for a score.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

CURVE_POINTS = 40

_NUMBER = r"([-+]?(?:\d[\d,]*\.?\d*(?:[eE][-+]?\d+)?|nan|inf))"
_STEP = re.compile(r"\b(?:step|iter(?:ation)?)\b\s*[:=#]?\s*(\d{1,12})", re.IGNORECASE)
_LOSS = re.compile(rf"\b(?:train[_ ])?loss\b\s*[:=]?\s*{_NUMBER}", re.IGNORECASE)
_SPEED = re.compile(rf"\btok(?:ens)?(?:/|_per_)s(?:ec(?:ond)?)?\b\s*[:=]?\s*{_NUMBER}", re.IGNORECASE)
_PRINTED = re.compile(rf"^\s*([A-Za-z][A-Za-z0-9_]{{0,39}})\s*:\s*{_NUMBER}\s*$")


@dataclass(frozen=True)
class Point:
    step: int
    loss: float  # may be nan or inf
    tokens_per_second: float | None


class Progress:
    """Reads lines one by one; `latest` is the last line that told a step and a loss."""

    def __init__(self) -> None:
        self.latest: Point | None = None
        self.printed: dict[str, float] = {}
        self._curve: list[tuple[int, float, float]] = []
        self._stride = 1
        self._seen = 0

    def read(self, line: str) -> None:
        """Take up one line of a log."""
        step, loss, speed = _STEP.search(line), _LOSS.search(line), _SPEED.search(line)
        if step and loss:
            self.latest = Point(int(step[1]), _value(loss[1]), _value(speed[1]) if speed else None)
        elif (printed := _PRINTED.match(line)) and len(self.printed) < 40:
            value = _value(printed[2])
            if math.isfinite(value):
                self.printed[printed[1]] = value

    def mark(self, seconds: float) -> None:
        """Add the latest point to the curve, at `seconds` of our own clock."""
        if self.latest is None or not math.isfinite(self.latest.loss):
            return
        if self._curve and self._curve[-1][0] == self.latest.step:
            return
        self._seen += 1
        if self._seen % self._stride:
            return
        self._curve.append((self.latest.step, round(seconds, 3), self.latest.loss))
        if len(self._curve) >= 2 * CURVE_POINTS:
            self._curve = self._curve[1::2]
            self._stride *= 2

    def curve(self) -> list[list[float]]:
        """Return at most `CURVE_POINTS` of [step, seconds, loss], first and last among them."""
        count = len(self._curve)
        if count <= CURVE_POINTS:
            return [list(point) for point in self._curve]
        picks = sorted({round(i * (count - 1) / (CURVE_POINTS - 1)) for i in range(CURVE_POINTS)})
        return [list(self._curve[i]) for i in picks]


def _value(text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return math.nan
