"""Asking again: tries, waits that a service asks for, and effects that may have happened."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.base.patience import Limited, OutOfPatience, Passing, Patience, retry_after


def failing(*failures: Exception) -> Callable[[], str]:
    waiting = list(failures)

    def attempt() -> str:
        if waiting:
            raise waiting.pop(0)
        return "done"

    return attempt


def test_pauses_double_and_a_wait_that_the_service_names_is_taken() -> None:
    slept: list[float] = []
    ask = Patience(slept.append, 100.0).ask
    assert ask(failing(Passing("busy"), Passing("busy", 7.0), Passing("busy")), tries=4, pause=1.0) == "done"
    assert 1 <= slept[0] <= 1.25 and slept[1] == 7 and 4 <= slept[2] <= 5


def test_after_the_last_try_it_is_not_slept() -> None:
    slept: list[float] = []
    with pytest.raises(OutOfPatience, match="second") as over:
        Patience(slept.append, 100.0).ask(failing(Passing("first"), Passing("second")), tries=2, pause=1.0)
    assert over.value.tries == 2 and len(slept) == 1


def test_a_limit_costs_no_try_and_waits_add_up_until_the_service_answers() -> None:
    slept: list[float] = []
    patience = Patience(slept.append, 25.0)
    assert patience.ask(failing(Limited(10.0), Limited(10.0)), tries=1, pause=0.0) == "done"
    assert patience.ask(failing(Limited(20.0)), tries=1, pause=0.0) == "done"
    with pytest.raises(OutOfPatience) as over:
        patience.ask(failing(Limited(20.0), Limited(20.0)), tries=1, pause=0.0)
    assert isinstance(over.value.failure, Limited) and slept == [10, 10, 20, 20]


@pytest.mark.parametrize(("certain", "looked"), [(False, 1), (True, 0)])
def test_what_may_have_happened_is_looked_for_before_it_is_repeated(certain: bool, looked: int) -> None:
    looks: list[str] = []

    def look() -> str:
        looks.append("look")
        return "was there"

    attempt = failing(Passing("no answer", certain=certain))
    found = Patience(lambda _: None, 100.0).ask(attempt, tries=2, pause=1.0, look=look)
    assert (found, len(looks)) == ("done" if certain else "was there", looked)


def test_the_last_try_is_looked_for_too() -> None:
    ask = Patience(lambda _: None, 100.0).ask
    assert ask(failing(Passing("no answer")), tries=1, pause=1.0, look=lambda: "was there") == "was there"
    with pytest.raises(OutOfPatience):
        ask(failing(Passing("no answer")), tries=1, pause=1.0, look=lambda: None)


def test_retry_after_is_seconds_or_nothing() -> None:
    assert retry_after({"Retry-After": "3"}) == 3.0 and retry_after({"retry-after": "-1"}) == 0.0
    assert retry_after({}) is None and retry_after({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}) is None
