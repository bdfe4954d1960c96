"""What holds in every test: no credential stays anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import leaks


@pytest.fixture(scope="session")
def processes() -> Iterator[leaks.Watch]:
    with leaks.Watch() as watch:
        yield watch


@pytest.fixture(autouse=True)
def no_credential_stays(request: pytest.FixtureRequest, processes: leaks.Watch) -> Iterator[None]:
    """Search by value for every token that a GitHub on loopback gave out; see `tests.leaks`."""
    folders: list[Path] = []
    if "tmp_path" in request.fixturenames:
        folders.append(request.getfixturevalue("tmp_path"))
    yield
    if not leaks.SERVED:
        return
    shown = [text for _, _, text in request.node._report_sections]
    found = leaks.search(folders, [*shown, *leaks.PRINTED]) + processes.found
    processes.found.clear()
    leaks.forget_ended()
    assert found == [], "a credential was left behind"
