"""Asks a service again that failed for a passing reason: so often, so long, and never for an effect that is there.

Libraries for this repeat a call. Here a wait that a service asks for costs no try, waits add up over calls, and what
may have happened is looked for before it is asked for again.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class Passing(Exception):
    """No answer, or one that says nothing. `wait` is how many seconds the service wants us to stay away, if it says;
    `certain`: nothing can have happened."""

    def __init__(self, why: str, wait: float | None = None, *, certain: bool = False) -> None:
        super().__init__(why)
        self.wait = wait
        self.certain = certain


class Limited(Exception):
    """The service did nothing, and wants us to wait for `seconds`: that costs no try."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"wait {seconds:.0f} s")
        self.seconds = seconds


class OutOfPatience(Exception):
    """It is not asked again: the last `failure`, and how many `tries` were made."""

    def __init__(self, failure: Passing | Limited, tries: int) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.tries = tries


@dataclass
class Patience:
    """How long one service is asked again: `longest_wait` seconds of waiting since it last answered, no try later than
    `last_try` seconds after the first one. `note` hears of every try that failed."""

    sleep: Callable[[float], None]
    longest_wait: float
    last_try: float = math.inf
    note: Callable[[str], None] = lambda _: None
    waited: float = 0.0

    def ask(
        self,
        attempt: Callable[[], T],
        *,
        tries: int,
        pause: float,
        look: Callable[[], T | None] | None = None,
    ) -> T:
        """Return what `attempt` returns, called at most `tries` times; `pause` seconds before the second, doubling.

        If it stays open whether a try had its effect, `look` is asked: what it returns is the answer, unless that
        is None. Without `look` an attempt must bear repeating. Raises OutOfPatience.
        """
        tried, began = 0, time.monotonic()
        while True:
            try:
                answer = attempt()
            except Limited as limit:
                failure: Passing | Limited = limit
                wait, is_open = limit.seconds, False
            except Passing as passing:
                failure, tried = passing, tried + 1
                spread = random.uniform(1.0, 1.25)  # loops side by side spread out
                wait = pause * 2 ** (tried - 1) * spread if passing.wait is None else passing.wait
                is_open = look is not None and not passing.certain
            else:
                self.waited = 0.0
                return answer
            late = self.waited + wait > self.longest_wait or time.monotonic() - began + wait > self.last_try
            if late or (tried == tries and not is_open):
                raise OutOfPatience(failure, tried)
            self.note(f"{failure}; another try in {wait:.0f} s")
            self.waited += wait
            self.sleep(wait)
            found = look() if look is not None and is_open else None
            if found is not None:
                return found
            if tried == tries:
                raise OutOfPatience(failure, tried)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that an answer's `Retry-After` says; None if it says none, or a date."""
    said = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    try:
        return max(0.0, float(said)) if said else None
    except ValueError:
        return None
