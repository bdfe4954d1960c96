"""An unchanged reference is never refused for its time, whatever else the machine does; `make bench-clock` tries it
more often.

Four busy processes slow what else CI runs down: there, `test_reference` tries a crowded machine, once.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.clock_under_load import ACCUMULATIONS, BUDGETS, company, loops_per_second, tried, write
from tests.benchmarks.clock_under_load import score as measured


@pytest.mark.slow
@pytest.mark.parametrize("kind", BUDGETS)
@pytest.mark.parametrize("accumulation", ACCUMULATIONS)
def test_a_reference_is_scored_whoever_else_is_at_work(tmp_path: Path, kind: str, accumulation: int) -> None:
    repo = write(tmp_path / "repo", accumulation, loops_per_second())
    settings = {"budget": {"kind": kind, "amount": 2.0}, "threads": 1}
    charged = ("--reference", str(tmp_path / "reference.json"))
    assert measured(repo, settings, *charged)["event"] == "score"
    with company(4):
        line = tried(repo, settings, 3, *charged)
    assert (line.scored, line.refused) == (3, 0)
