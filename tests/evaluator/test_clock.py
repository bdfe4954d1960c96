"""An unchanged reference is never refused for its time, whatever else the machine does; `make bench-clock` tries it
more often."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.clock_under_load import ACCUMULATIONS, BUDGETS, company, loops_per_second, tried, write
from tests.benchmarks.clock_under_load import score as measured

IN_CI = pytest.param("wall", 16, 2, marks=pytest.mark.long)
OTHERS = [
    pytest.param(kind, count, 3, marks=pytest.mark.slow)
    for kind in BUDGETS
    for count in ACCUMULATIONS
    if (kind, count) != IN_CI.values[:2]
]


@pytest.mark.parametrize(("kind", "accumulation", "times"), [IN_CI, *OTHERS])
def test_a_reference_is_scored_whoever_else_is_at_work(
    tmp_path: Path, kind: str, accumulation: int, times: int
) -> None:
    repo = write(tmp_path / "repo", accumulation, loops_per_second())
    settings = {"budget": {"kind": kind, "amount": 2.0}, "threads": 1}
    charged = ("--reference", str(tmp_path / "reference.json"))
    assert measured(repo, settings, *charged)["event"] == "score"
    with company(4):
        line = tried(repo, settings, times, *charged)
    assert (line.scored, line.refused) == (times, 0)
