"""Which of many variants of one test run with every change; CI runs the others, too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def few(variants: Iterable[Any], quick: int) -> list[Any]:
    """Return the variants for `parametrize`, with all but `quick` of them, evenly spread, marked `long`.

    A variant that has marks of its own keeps these, and does not count.
    """
    every = list(variants)
    free = [at for at, each in enumerate(every) if not hasattr(each, "marks")]
    late = {
        at for place, at in enumerate(free) if place * quick // len(free) == (place - 1) * quick // len(free)
    }
    return [
        pytest.param(*(each if isinstance(each, tuple) else (each,)), marks=pytest.mark.long)
        if at in late
        else each
        for at, each in enumerate(every)
    ]
