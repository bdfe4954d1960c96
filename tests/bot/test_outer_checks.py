"""What a generated mechanism must show before its first call, and how it is asked: in the jails of the real host."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bot.errors import UserError
from bot.loop.hosting import Generated, Host
from bot.rules.outer.checks import (
    CHECKS,
    MOST_BYTES,
    PREFIXES,
    Ask,
    NoAnswer,
    checked,
    failure,
    given,
    prefixes,
    steering,
)  # fmt: skip
from bot.rules.outer.reading import from_json
from bot.rules.outer.view import Aim, Constant, Draft, Past, Steer, View
from tests.evaluator.jail.world import skip_unless_possible
from tests.mechanisms import (
    AT_ONCE,
    ESCAPED,
    GOOD,
    LATE,
    UNREADABLE,
    WRONG,
    Bad,
    here,
    history,
    screening,
)
from tests.mechanisms import steering as mechanism

PURE = {
    name: bad for name, bad in {**AT_ONCE, **WRONG}.items() if bad.ends in ("repeats", "lets pass")
} | WRONG
QUICK = ("starts a shell", "remembers", "refuses what wins")  # through the real host
LONG = (
    "ends its process", "starts many", "starts threads", "takes memory", "asks the network", "reads a secret",
    "writes a file", "looks into others' processes", "imports the bot", "changes what Python is", "closes its way out",
    "huge output", "nested output", "endless, and deaf",
)  # one of each kind  # fmt: skip


def by(host: Host, source: str) -> Any:
    return lambda questions: host.ask(source, questions, together=True)


def refused(bad: Bad, asking: Any) -> str:
    found = checked(bad.source, history(24), 7, asking)
    why = failure(found)
    assert why is not None, found
    assert found[-1].name == bad.ends, why
    assert ESCAPED not in why
    assert any(word in why for word in bad.says.split("|")), why
    assert [each.why for each in found[:-1]] == [None] * (CHECKS.index(bad.ends))
    return why


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_mechanism_is_never_run(name: str) -> None:
    def never(_: Sequence[Ask]) -> list[Any]:
        raise AssertionError("it was run")

    refused(UNREADABLE[name], never)


@pytest.mark.parametrize("name", PURE)
def test_what_answers_otherwise_than_it_may_is_refused(name: str) -> None:
    refused(PURE[name], here(PURE[name].source))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=() if name in QUICK else pytest.mark.long if name in LONG else pytest.mark.slow
        )
        for name in (*UNREADABLE, *AT_ONCE, *LATE, *WRONG)
    ],
)
def test_the_corpus_in_its_jail(name: str) -> None:
    skip_unless_possible()
    bad = {**UNREADABLE, **AT_ONCE, **LATE, **WRONG}[name]
    refused(bad, by(Host("bubblewrap"), bad.source))


def test_there_are_many_of_them() -> None:
    assert len({**UNREADABLE, **AT_ONCE, **LATE, **WRONG}) >= 25


def test_a_good_one_passes_and_is_asked_in_a_fresh_process_each_time() -> None:
    skip_unless_possible()
    host = Host("bubblewrap")
    found = checked(GOOD, history(24), 7, by(host, GOOD))
    assert failure(found) is None and [each.name for each in found] == list(CHECKS)
    once = mechanism(
        'calls.append(1)\nreturn {"avoid": [{"constant": "BATCH", "until": view["number"] + len(calls)}]}',
        "calls = []",
    )
    generated = Generated("once", lambda: once, host)
    view = history(5)
    assert [generated.steer(view, 1) for _ in range(2)] == [Steer(avoid=(Aim(7, constant="BATCH"),))] * 2
    strict = Generated("strict", lambda: screening("return f\"no {draft['category']}\""), host)
    assert strict.screen(view, Draft((), "other"), 1) == "no other"


def test_one_that_is_good_at_first_and_fails_later_says_so() -> None:
    skip_unless_possible()
    late = mechanism('if view["number"] > 40:\n    raise KeyError("late")\nreturn {}')
    assert failure(checked(late, history(24), 7, here(late))) is None
    with pytest.raises(NoAnswer, match="KeyError"):
        Generated("late", lambda: late, Host("bubblewrap")).steer(history(50), 1)


def test_without_a_jail_it_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match=r"outer: generated .* write `outer: builtin`") as refusal:
        Host("none").require()
    assert "\n" not in str(refusal.value)
    with pytest.raises(UserError):
        Host("none").ask(GOOD, [steering(history(1), 1)])


def test_prefixes_hold_what_landed_and_are_spread_over_the_rest() -> None:
    points = prefixes(history(400))
    assert len(points) == PREFIXES
    assert all(
        view.number == past.number and all(p.number < past.number for p in view.past) for view, past in points
    )
    assert [past.number for _, past in points if past.landed][-1] == 400
    assert len([1 for _, past in points if past.landed]) >= PREFIXES // 2
    assert points[0][1].number <= 10
    assert [past.number for _, past in prefixes(history(3))] == [1, 2, 3]
    assert len(prefixes(View(1, 1))) == 1


def test_a_question_fits_whatever_the_history() -> None:
    large = history(3000)
    large = replace(
        large,
        files={"big.py": "x" * 100_000, "small.py": "y = 1\n"},
        constants=tuple(Constant(f"NAME_{n}_" + "N" * 80, n) for n in range(1000)),
    )
    record = given(large, 3)
    assert len(json.dumps({"ask": "steer", "given": [record]})) < MOST_BYTES
    assert record["seed"] == 3 and record["past"][-1]["number"] == 3000
    assert [each["number"] for each in record["past"]] == list(range(3001 - len(record["past"]), 3001))
    assert list(record["files"]) == ["small.py"] and 50 < len(record["constants"]) < 1000
    assert from_json(Past, json.loads(json.dumps(record["past"][-1]))) == large.past[-1]
