"""A Slack for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.slack.server import Slack, serve


@pytest.fixture
def slack() -> Iterator[Slack]:
    with serve() as server:
        yield server
