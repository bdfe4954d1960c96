"""What happened between two moments of a campaign: the difference of its figures then and now."""

from __future__ import annotations

from dataclasses import dataclass

from bot.tell.figures.campaign import Figures
from bot.tell.figures.rows import Row


@dataclass(frozen=True)
class Period:
    """A stretch of a campaign; `since` is ISO 8601. Rows are those that ended within, newest first."""

    since: str
    score_from: float | None
    score_to: float | None
    experiments: int
    merged: int
    crashed: int
    gpu_seconds: float
    cost_usd: float
    runs: int
    rows: tuple[Row, ...]

    @property
    def cost_per_merge(self) -> float | None:
        """Money for each merge in US dollars, None if there was none."""
        return self.cost_usd / self.merged if self.merged else None


def period(before: Figures, after: Figures, since: str) -> Period:
    """Return what happened between `before`, the figures at `since`, and `after`."""
    done_then = {row.number for row in before.rows if not row.open}
    rows = tuple(row for row in after.rows[::-1] if not row.open and row.number not in done_then)
    start = before.incumbent if before.incumbent and before.incumbent.score is not None else after.baseline
    return Period(
        since=since,
        score_from=start.score if start else None,
        score_to=after.incumbent.score if after.incumbent else None,
        experiments=len(rows),
        merged=after.landed - before.landed,
        crashed=after.verdicts["crashed"] - before.verdicts["crashed"],
        gpu_seconds=after.gpu_seconds - before.gpu_seconds,
        cost_usd=after.cost_usd - before.cost_usd,
        runs=after.runs - before.runs,
        rows=rows,
    )
