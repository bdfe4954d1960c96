"""The way of one experiment stays short, here and on GitHub: few rooms, few calls inside each other, few pushes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from tests.benchmarks.shape import Walk, local, on_github

pytestmark = pytest.mark.long


@pytest.mark.parametrize("where", [local, on_github])
def test_one_experiment_takes_a_short_way(tmp_path: Path, where: Callable[[Path], Walk]) -> None:
    with mock.patch.dict(os.environ):
        walk = where(tmp_path)
    assert len(walk.rooms) <= 12, walk.rooms
    assert walk.depth <= 14, walk.deepest
    assert walk.pushes <= 6
