"""The schedule beside the chain: never a second chain, a broken one goes on, an ended one stays ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.github.workflows import Form
from tests.actions.jobs import Workplace
from tests.bot.repositories import CONFIG
from tests.github.server import GitHub

long = pytest.mark.long
FORMS = ("three", pytest.param("one", marks=pytest.mark.slow))


def place(github: GitHub, folder: Path, form: Form, stop: str = "{experiments: 2}") -> Workplace:
    config = f"{CONFIG}seed: 1\nlease_minutes: 0.05\nstop: {stop}\n"
    return Workplace(github, folder, form, config, name=f"octo/{folder.name.replace('_', '-')}")


def statuses(workplace: Workplace) -> list[tuple[str, str, str | None]]:
    runs = workplace.repository.contents.runs.values()
    return [(run.event, run.status, run.conclusion) for run in runs]


@long
@pytest.mark.parametrize("form", FORMS)
def test_a_heartbeat_while_a_chain_runs_begins_no_other(github: GitHub, tmp_path: Path, form: Form) -> None:
    work = place(github, tmp_path, form)
    work.press()
    (first,) = work.waiting
    work.heartbeat()
    work.heartbeat()  # an hour later: it takes the place of the one before
    assert statuses(work) == [
        ("workflow_dispatch", "queued", None),
        ("schedule", "completed", "cancelled"),
        ("schedule", "pending", None),
    ]
    assert first.group == "nocturne-main-self-hosted-gpu"
    dispatched = len(github.dispatches)
    assert work.run_next() is first
    # The next link takes the place of the heartbeat that waits: of a chain one run waits at most.
    assert "goes on" in work.logs[-1] and len(github.dispatches) == dispatched + 1
    assert [run.event for run in work.waiting] == ["workflow_dispatch"]
    assert work.run_next().conclusion == "success"
    assert work.waiting == []
    assert len(work.events("experiment_finished")) == 2
    assert [event["reason"] for event in work.events("loop_stopped")] == ["experiments"]


@pytest.mark.parametrize(
    ("form", "last"),
    [
        pytest.param("three", "propose", marks=pytest.mark.slow),
        pytest.param("three", "train", marks=long),
        pytest.param("three", "decide", marks=pytest.mark.slow),
        pytest.param("one", "iterate", marks=long),
    ],
)
def test_a_chain_whose_run_died_goes_on_at_the_next_heartbeat(
    github: GitHub, tmp_path: Path, form: Form, last: str
) -> None:
    work = place(github, tmp_path, form)
    work.press()
    assert work.run_next(dies_after=last).conclusion == "failure"
    assert work.waiting == []  # nothing else would ever start it again
    done = len(work.events("experiment_finished"))
    work.heartbeat()
    assert done == (last in ("decide", "iterate"))
    assert work.run_all(4) == 2 - done
    assert [e["experiment"] for e in work.events("experiment_claimed")] == [1, 2]
    pulls = [issue.pull.head for issue in work.repository.contents.issues.values() if issue.pull]
    assert len([head for head in pulls if head.startswith("nocturne/exp/")]) == 2  # one pull request each
    runs = [event["run"] for event in work.events("run_finished")]
    assert len(runs) == len(set(runs))


@pytest.mark.parametrize("form", ["three", pytest.param("one", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "why",
    [
        pytest.param("paused", marks=pytest.mark.slow),  # `test_schedule` has the rule of each reason
        pytest.param("experiments", marks=long),
        pytest.param("stopped", marks=pytest.mark.slow),  # as paused
    ],
)
def test_a_campaign_that_has_ended_stays_so(github: GitHub, tmp_path: Path, form: Form, why: str) -> None:
    work = place(github, tmp_path, form, "{experiments: 1}" if why == "experiments" else "{experiments: 9}")
    work.press()
    if why != "experiments":
        work.run_next(dies_after="iterate" if form == "one" else "decide")
        work.human("pause" if why == "paused" else "stop")
    else:
        assert work.run_all(2) == 1
    refs, dispatched = work.refs(), len(github.dispatches)
    calls, git_calls = len(github.calls), len(github.git_calls)
    for beat in range(3):
        work.heartbeat()
        assert work.run_all(2) == 1
        if beat == 0:
            refs = work.refs()  # the first one may write down why nothing goes on
    assert work.refs() == refs and len(github.dispatches) == dispatched
    assert [event["reason"] for event in work.events("loop_stopped")] == [why]
    print(f"{form}, {why}: {len(github.git_calls) - git_calls} requests of git for three heartbeats")
    assert len(github.calls) == calls  # not one REST call
    assert len(github.git_calls) - git_calls <= 3 * 8 + 8
