"""One campaign hit by one fault of each kind after the other comes to the end of its undisturbed twin.

`make bench-faults` plays many campaigns of each kind, and the kinds after which the end is another one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.benchmarks.faults.bench import Bench
from tests.benchmarks.faults.kinds import KINDS
from tests.benchmarks.faults.world import begin
from tests.github.server import serve


@pytest.mark.slow  # minutes; that a killed loop goes on is proved by `test_interruption` and others
@pytest.mark.timeout(900)
def test_a_campaign_under_a_fault_of_each_kind_comes_to_the_same_end(tmp_path: Path) -> None:
    begin()
    wanted = [kind for kind in KINDS if kind.home == "any" and kind.same and not kind.service]
    wanted = [kind for kind in wanted if not kind.disk or os.geteuid() == 0]
    first, *more = sorted(wanted, key=lambda kind: not kind.disk)
    with serve(tmp_path / "github") as github:
        row = Bench(tmp_path, github).campaign(first, "local", 3, and_then=more)
    assert row["outcome"] == "same end", row
    assert len(row["moments"]) >= 4, row  # a fault whose moment does not come is none
