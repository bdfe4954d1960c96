"""What a night of sixty experiments asks of GitHub, in three jobs a run: the form that asks for most.

The first eight experiments can stand for it. What a campaign asks once, for its promotion and its labels' colours, is
counted beside. The campaigns in test_campaign are held to the same average in CI.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.actions.jobs import Workplace
from tests.bot.repositories import CONFIG
from tests.github.server import Call, GitHub

NIGHT = 60  # experiments
ALL, ON_AVERAGE, ONCE = 1_000, 6, 14  # REST calls: of an hour, of an experiment, once in a campaign
POLL = 10.0  # seconds
STOP = "stop: {experiments: %d, plateau: null, crashes_in_row: null}\n"


def polled(calls: list[Call]) -> list[str]:
    """Return what was read more often than every ten seconds."""
    last: dict[str, float] = {}
    often = []
    for call in calls:
        place = f"{call.path}?{call.query}"
        if call.method == "GET":
            if call.at - last.get(place, 0.0) < POLL:
                often.append(place)
            last[place] = call.at
    return often


@pytest.mark.timeout(2400)
@pytest.mark.slow
@pytest.mark.parametrize("experiments", [8, NIGHT])
def test_a_night_stays_within_the_limits(github: GitHub, tmp_path: Path, experiments: int) -> None:
    assert github.limits.workflow == ALL  # of one hour: one call more would be refused
    work = Workplace(github, tmp_path, "three", f"{CONFIG}seed: 1\n{STOP % experiments}", name="octo/night")
    work.press()
    before, since, by_run = len(github.calls), time.monotonic(), []
    while work.waiting:
        begun = len(github.calls)
        assert work.run_next().conclusion == "success", work.logs[-1]
        assert polled(github.calls[begun:]) == []
        by_run.append(len(github.calls) - begun)
        work.tidy()
        assert len(by_run) <= experiments + 2
    calls = github.calls[before:]
    verdicts = Counter(event["verdict"] for event in work.events("experiment_decided"))
    kinds = Counter(call.kind for call in github.git_calls)
    print(f"{len(by_run)} runs in {time.monotonic() - since:.0f} s, {dict(verdicts)}")
    print(f"REST: {len(calls)} calls, {len(calls) / experiments:.1f} on average, {max(by_run)} at most")
    print(f"git: {len(github.git_calls) / experiments:.0f} requests an experiment, {dict(kinds)}")
    assert len(work.events("experiment_finished")) == experiments
    assert all(call.status is not None and call.status < 400 for call in calls)
    print(f"GraphQL: {len(github.queries)} queries, {len(github.queries) / experiments:.1f} on average")
    assert len(calls) <= ON_AVERAGE * experiments + ONCE < ALL and len(github.queries) <= 3 * experiments
    assert max(by_run) <= ON_AVERAGE + ONCE
    assert len(github.git_calls) <= 60 * experiments
