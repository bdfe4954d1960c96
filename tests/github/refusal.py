"""What PyGithub raised, in a form that tests compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Refusal:
    status: int
    message: str
    errors: list[Any]
    headers: dict[str, str]


def refused(call: Callable[[], object]) -> Refusal:
    """Return how `call` is refused; the test fails where it is not."""
    import github

    with pytest.raises(github.GithubException) as said:
        call()
    data = said.value.data if isinstance(said.value.data, dict) else {}
    return Refusal(
        said.value.status, data.get("message", ""), data.get("errors", []), dict(said.value.headers or {})
    )
