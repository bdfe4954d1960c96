"""A GitHub on loopback, and what begins a campaign on it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.actions.campaign import begin as begin_campaign
from tests.actions.runner import Runner
from tests.github.server import GitHub, serve


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHub]:
    with serve(tmp_path_factory.mktemp("github")) as served:
        yield served


@pytest.fixture
def begin(github: GitHub, tmp_path: Path) -> Callable[..., Runner]:
    """Return `tests.actions.campaign.begin` for this GitHub and this test's folder."""
    return functools.partial(begin_campaign, github, tmp_path)
