"""A run whose speed is off beside its commit's earlier ones is repeated and not believed."""

from __future__ import annotations

import random

import pytest

from bot.rules import events as ev
from bot.rules.campaign import Campaign
from bot.rules.decision import Rule
from bot.rules.lost_runs import is_lost
from bot.rules.simulated.driver import Driver, Ways
from bot.rules.simulated.play import Over, Play
from bot.rules.throughput import believed, is_doubted, off
from bot.tell.cautions import warnings
from bot.tell.figures.campaign import figures
from bot.tell.figures.plain import status_json
from tests.benchmarks.truth.rows import rows
from tests.benchmarks.truth.world import Machine
from tests.bot.campaigns import NOW, commit_of


def run(
    name: str, number: int, steps: float, *, seconds: float = 300.0, share: float = 1.0, runner: str = "gpu"
) -> ev.RunFinished:
    metrics = {"num_steps": steps * share, "training_seconds": seconds * share} if steps else {}
    return ev.RunFinished(
        f"{name}-{number}", commit_of(name), number, number, None, 1.0, None, metrics, "f", "none", runner, 330.0,
        330.0,        share=share,
    )  # fmt: skip


def known(commits: int = 8, *, spread: float = 0.003, seconds: float = 300.0) -> Campaign:
    """Return a campaign of commits with two runs each; each commit has a speed of its own."""
    campaign, draw = Campaign(), random.Random(1)
    for place in range(commits):
        for number in (1, 2):
            steps = 1000 * (1 + place / 4) * (1 + spread * draw.gauss(0, 1))
            campaign.add_run(run(f"commit {place}", number, steps, seconds=seconds), "")
    return campaign


def test_what_is_off_beside_its_own_commit_is_lost_and_keeps_its_score_on_record() -> None:
    campaign = known()
    slow = believed(campaign, run("commit 2", 3, 1350.0))  # 1,500 in its other runs
    assert (
        is_lost(slow)
        and is_doubted(slow)
        and slow.score is None
        and slow.metrics["score_not_believed"] == 1.0
    )
    assert slow.failure is not None and "10% slower than its commit did before" in slow.failure["reason"]
    quick = off(campaign, run("commit 2", 3, 1650.0))
    assert quick == pytest.approx(0.1, abs=0.02)
    usual = run("commit 2", 3, 1495.0)
    assert believed(campaign, usual) is usual
    campaign.add_run(slow, "")
    again = run("commit 2", 4, 1350.0)
    assert believed(campaign, again) is again, "the machine has changed for longer"


def test_nothing_is_said_of_what_nothing_tells() -> None:
    slow = run("commit 2", 3, 1350.0)
    assert off(known(2), slow) is None, "too few runs tell how far speed varies"
    assert off(known(), run("a new commit", 1, 10.0)) is None
    assert off(known(), run("commit 2", 3, 0)) is None, "a command without steps"
    assert off(known(seconds=2), run("commit 2", 3, 1350.0, seconds=2)) is None
    assert off(known(), run("commit 2", 3, 1350.0, runner="another")) is None
    assert off(known(spread=0.05), slow) is None, "speed varies there"
    assert off(known(), run("commit 2", 3, 1350.0, share=0.25)) is None, "no short run tells how they compare"


def test_beside_a_neighbour_runs_are_doubted_and_on_a_quiet_machine_none_is() -> None:
    doubted: dict[str, list[ev.RunFinished]] = {}
    for row in ("neighbour", "sigma .001"):
        world = rows()[row]
        machine = Machine(world, 3, 80)
        driver = Driver(Play(world, machine, (80,), machine.proposals()), Ways(Rule()))
        with pytest.raises(Over):
            while True:
                driver.step()
        doubted[row] = [each for each in driver.campaign.runs.values() if is_doubted(each)]
        known = figures(driver.campaign, now=NOW)
        assert status_json(known)["doubted_runs"] == len(doubted[row])
        assert any("Not believed" in each for each in warnings(known)) == bool(doubted[row])
    assert doubted["neighbour"] and not doubted["sigma .001"]
