"""How quickly a training goes on: what a batch takes, and what the first ones take beyond that."""

from __future__ import annotations

_WARMUP_BATCHES = 11  # autoresearch counts its time from the eleventh step
_MOST_MARKS = 512


class Pace:
    """Batches served and the clock's reading then, of a few hundred moments."""

    def __init__(self) -> None:
        self._marks: list[tuple[int, float]] = []

    def served(self, batches: int, reading: float) -> None:
        """Note how many batches are served at a reading of the clock, in seconds."""
        self._marks.append((batches, reading))
        if len(self._marks) > _MOST_MARKS:
            self._marks = self._marks[: len(self._marks) // 4] + self._marks[len(self._marks) // 4 :: 2]

    def of_a_training(self, first: float, training: float) -> tuple[float, float]:
        """Return the seconds that one batch takes in the second half of a training, and those that the batches up to
        the eleventh took beyond that. The training began at the reading `first` and took `training` seconds."""
        last = self._marks[-1]
        half = next(mark for mark in self._marks if mark[1] - first >= (last[1] - first) / 2)
        if last[0] <= half[0]:
            half = self._marks[0]
        if last[0] <= half[0]:
            return training, 0.0
        pace = (last[1] - half[1]) / (last[0] - half[0])
        early = next((mark for mark in self._marks if mark[0] >= _WARMUP_BATCHES), last)
        return pace, max(0.0, early[1] - first - (early[0] - 1) * pace)
