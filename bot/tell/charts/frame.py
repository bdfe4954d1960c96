"""The axes of a picture, before anything is drawn on it."""

from __future__ import annotations

from dataclasses import dataclass

from bot.tell.charts.scale import Scale


@dataclass(frozen=True)
class Frame:
    """The axes of one picture, sizes in pixels."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    x: Scale
    y: Scale
    lower_is_better: bool
    size: float
    """Of the marks: 1, less if there are so many that they would hide each other."""

    @property
    def worse_edge(self) -> float:
        return self.top + 7 if self.lower_is_better else self.bottom - 7
