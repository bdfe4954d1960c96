"""Which of many variants of one test run with every change; CI runs the others, too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def few(variants: Iterable[Any], quick: int, in_ci: int | None = None) -> list[Any]:
    """Return the variants for `parametrize`, with all but `quick` of them, evenly spread, marked `long`, or `slow` if
    CI runs no more than `in_ci`, the quick ones among them.

    A variant that has marks of its own keeps these, and does not count.
    """
    every = list(variants)
    free = [at for at, each in enumerate(every) if not hasattr(each, "marks")]
    at_once = _spread(free, quick)
    left = [at for at in free if at not in at_once]
    late = set(left) if in_ci is None else _spread(left, in_ci - len(at_once))
    return [
        pytest.param(
            *(each if isinstance(each, tuple) else (each,)),
            marks=pytest.mark.long if at in late else pytest.mark.slow,
        )
        if at in left
        else each
        for at, each in enumerate(every)
    ]


def _spread(places: list[int], count: int) -> set[int]:
    """Return so many of `places`, evenly spread."""
    total = len(places)
    return {at for place, at in enumerate(places) if place * count // total != (place - 1) * count // total}
