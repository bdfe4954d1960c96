"""What is done while a run trains: the next experiment is prepared on the likelier outcome, the last one is closed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bot.agents.protocol import Question
from bot.errors import UserError
from bot.rules import events as ev
from bot.rules.ahead import record_of
from bot.rules.proposal import Proposal
from bot.rules.stopping import Stop
from tests.bot.repositories import CONFIG, events, git, make_repository, wait_for
from tests.bot.scripted import Loop, Scripted, recorded

WIN, LOSS, OTHER_LOSS = {"LEARNING_RATE": "0.002"}, {"BATCH_SIZE": "128"}, {"BATCH_SIZE": "256"}
SHORT = f"{CONFIG}verdict: {{baseline_runs: 2}}\n"
AHEAD = "ahead: 5\n"


def loop_of(tmp_path: Path, script: Sequence[Mapping[str, str]], more: str = AHEAD) -> Loop:
    return Loop(make_repository(tmp_path / "repo", config=SHORT + more), script)


def kinds(top: Path) -> list[tuple[str, int | None]]:
    """Return the kinds of the ledger's events with the experiment that each is about, in their order."""
    return [(event["kind"], event.get("experiment")) for event in events(top)]


def assert_landed_is_what_was_tested(top: Path) -> None:
    """Each merge is the commit that ran, made on what was the head before it."""
    measured = {run.commit for run in recorded(top, ev.RunFinished) if isinstance(run, ev.RunFinished)}
    for landed in recorded(top, ev.ExperimentLanded):
        assert isinstance(landed, ev.ExperimentLanded)
        assert landed.commit in measured
        assert git(top / ".git/nocturne/forge.git", "rev-parse", f"{landed.commit}^") == landed.previous


def test_the_next_is_prepared_on_the_incumbent_and_carried_over_if_that_changes(tmp_path: Path) -> None:
    loop = loop_of(tmp_path, [LOSS, WIN, OTHER_LOSS])
    loop.run(3, is_the_end=True)
    seen = kinds(loop.top)
    runs = [place for place, (kind, number) in enumerate(seen) if kind == "run_finished" and number]
    of = {number: place for place, (kind, number) in enumerate(seen) if kind == "reviewed"}
    first = {number: next(p for p in runs if seen[p][1] == number) for number in (1, 2, 3)}
    assert of[1] < first[1] and of[2] < first[1], "the second was reviewed before the first had its score"
    assert first[1] < seen.index(("experiment_finished", 1)) < first[2], (
        "the first is closed beside the second"
    )
    campaign = loop.campaign
    third = campaign.experiments[3]
    assert [e.verdict for e in campaign.finished()] == ["discarded", "improved", "discarded"]
    assert third.claimed_on == campaign.baseline and third.parent == campaign.incumbent
    assert third.carried_over and len(third.commits) == 2
    assert {run.commit for run in campaign.runs_for(3)} == {third.commits[1]}, (
        "only what stands on the head ran"
    )
    found = record_of(campaign)
    assert (found.prepared, found.trained, found.carried, found.dropped) == (3, 3, 1, 0)
    assert len(seen) == len({event["key"] for event in events(loop.top)})
    assert_landed_is_what_was_tested(loop.top)


class Paid(Scripted):
    """Each proposal costs something, and what fails is told so."""

    def __init__(self, script: Sequence[Mapping[str, str]], fails_at: int = 0) -> None:
        super().__init__(script)
        self.fails_at = fails_at
        self.may_try: list[bool] = []

    def propose(self, question: Question) -> Proposal | None:
        self.may_try.append(question.try_out is not None)
        if question.number == self.fails_at:
            raise UserError("nobody answers")
        made = super().propose(question)
        return None if made is None else Proposal(**{**vars(made), "cost_usd": 0.5})


def paid(tmp_path: Path, maker: Paid, more: str = AHEAD) -> Loop:
    loop = loop_of(tmp_path, (), more)
    loop.context = replace(loop.context, proposer=maker)
    return loop


@pytest.mark.long
def test_what_does_not_fit_any_more_is_dropped_untrained_and_its_price_counts(tmp_path: Path) -> None:
    maker = Paid([WIN, {"LEARNING_RATE": "0.0005"}, LOSS, OTHER_LOSS])
    loop = paid(tmp_path, maker, "ahead: 0.5\n")
    loop.run(4, is_the_end=True)
    campaign = loop.campaign
    assert [e.verdict for e in campaign.finished()] == ["improved", "lost", "discarded", "discarded"]
    decision = campaign.experiments[2].decision
    assert campaign.runs_for(2) == [] and decision is not None and "don't fit together" in decision.reason
    found = record_of(campaign)
    assert (found.dropped, found.dropped_usd) == (1, 0.5)
    assert [e.ahead for e in campaign.experiments.values()] == [True, True, False, False], "it is spent"
    assert maker.may_try == [False, False, True, True], "no draft is tried beside a run"


@pytest.mark.long
def test_what_fails_ahead_ends_no_run_and_is_met_in_its_turn(tmp_path: Path) -> None:
    loop = paid(tmp_path, Paid([LOSS, WIN], fails_at=2))
    with pytest.raises(UserError, match="nobody answers"):
        loop.run(None)
    assert "what is done while a run trains waits: nobody answers" in loop.said
    assert loop.campaign.experiments[1].verdict == "discarded" and loop.campaign.runs_for(1)
    lease = loop.campaign.leases["experiment:2"]
    assert lease.until < loop.campaign.last_at, "whoever comes next may go on with it"


def test_no_more_is_begun_than_is_asked_for_and_what_waits_is_taken_up_again(tmp_path: Path) -> None:
    loop = loop_of(tmp_path, [LOSS, WIN, OTHER_LOSS])
    loop.run(1, is_the_end=True)
    assert list(loop.campaign.experiments) == [1]
    loop.run(1, is_the_end=False)  # as a job that another one follows
    campaign = loop.campaign
    assert campaign.order == [1, 2] and campaign.experiments[3].review is not None
    assert campaign.runs_for(3) == [] and campaign.leases["experiment:3"].until < campaign.last_at
    loop.context.ledger.append(lambda c: [ev.CommandGiven(c.commands + 1, "stop")])
    assert loop.run(None, is_the_end=True).reason == "stopped"
    assert loop.campaign.runs_for(3) == [], "who stops the loop stops what has not begun to train"
    loop.context.ledger.append(lambda c: [ev.CommandGiven(c.commands + 1, "resume")])
    assert loop.run(1, is_the_end=True) == Stop("requested", "1 experiment asked for, and done")
    assert loop.campaign.order == [1, 2, 3]


@pytest.mark.parametrize("more", ["ahead: 0\n", ""])
def test_nothing_is_prepared_ahead_if_that_is_not_wanted(tmp_path: Path, more: str) -> None:
    loop = loop_of(tmp_path, [LOSS, WIN], more)
    loop.run(2, is_the_end=True)
    assert not any(e.ahead for e in loop.campaign.experiments.values())


HOLD = """
import sys, time
from bot.loop.device import alone_on_gpus
with alone_on_gpus(lambda event: print(event["event"], flush=True), None) as held:
    print("held", len(held), flush=True)
    time.sleep(float(sys.argv[1]))
"""


def test_runs_take_turns_on_a_gpu_and_a_killed_one_frees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smi = tmp_path / "bin/nvidia-smi"
    smi.parent.mkdir()
    smi.write_text("#!/bin/sh\necho '0, GPU-aa'\necho '1, GPU-bb'\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{smi.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def hold(seconds: str, visible: str) -> subprocess.Popen[str]:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        return subprocess.Popen([sys.executable, "-c", HOLD, seconds], stdout=subprocess.PIPE, text=True)

    first = hold("600", "0")
    assert first.stdout is not None and first.stdout.readline() == "held 1\n"
    other, second = hold("0", "GPU-bb"), hold("0", "0,1")
    assert other.communicate(timeout=60)[0] == "held 1\n", "another GPU is free"
    assert second.stdout is not None
    wait_for(lambda: second.stdout is not None and second.stdout.readline() == "waiting\n")
    first.kill()
    first.communicate(timeout=60)
    assert second.communicate(timeout=60)[0].endswith("held 2\n")
    (tmp_path / f"nocturne-gpus-{os.getuid()}").rename(tmp_path / "gone")
    (tmp_path / f"nocturne-gpus-{os.getuid()}").write_text("")
    refused = subprocess.run(
        [sys.executable, "-c", HOLD, "0"], capture_output=True, text=True, timeout=60, check=False
    )
    assert "UserError" in refused.stderr and "delete it, or set TMPDIR" in refused.stderr
