"""What a loop does next, in each situation that a loop can meet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.rules import events as ev
from bot.rules.campaign import Campaign, fold
from bot.rules.schedule import (
    Begin,
    Continue,
    MeasureIncumbent,
    Standing,
    Wait,
    next_step,
    run_id,
    seed_of,
    subject_of,
)
from bot.rules.stopping import Limits, Stop
from tests.bot.campaigns import NOW, Night

ME, OTHER, DEAD = "host/me", "host/other", "host/dead"
STANDING = Standing(
    holder=ME, now=NOW, runner="1x H100", fingerprint="f1", limits=Limits(), incumbent_runs=2,
    remeasure_every=10, is_dead=lambda holder: holder == DEAD,
)  # fmt: skip
LATER = (NOW + timedelta(minutes=5)).isoformat()
EARLIER = (NOW - timedelta(minutes=5)).isoformat()


def test_new_campaign_measures_its_baseline_first() -> None:
    night = Night()
    step = next_step(night.campaign(), STANDING)
    assert step == MeasureIncumbent(night.incumbent, 1, "it needs its first runs")
    night.baseline(runs=1)
    step = next_step(night.campaign(), STANDING)
    assert isinstance(step, MeasureIncumbent) and step.replicate == 2
    night.baseline(runs=1)
    assert next_step(night.campaign(), STANDING) == Begin(1)


def test_two_loops_share_the_baselines_runs() -> None:
    night = Night()
    night.add(ev.LeaseTaken(f"run:{run_id(night.incumbent, 1)}", 1, OTHER, LATER))
    step = next_step(night.campaign(), STANDING)
    assert isinstance(step, MeasureIncumbent) and step.replicate == 2
    night.add(ev.LeaseTaken(f"run:{run_id(night.incumbent, 2)}", 1, OTHER, LATER))
    assert isinstance(next_step(night.campaign(), STANDING), Wait)


def claimed(holder: str, until: str) -> Night:
    night = Night()
    night.baseline()
    night.add(ev.ExperimentClaimed(1, night.incumbent))
    night.add(ev.LeaseTaken("experiment:1", 1, holder, until))
    return night


def test_begun_experiment_goes_on_when_its_holder_is_gone() -> None:
    assert next_step(claimed(OTHER, LATER).campaign(), STANDING) == Begin(2)
    assert next_step(claimed(OTHER, EARLIER).campaign(), STANDING) == Continue(1)
    assert next_step(claimed(DEAD, LATER).campaign(), STANDING) == Continue(1)
    assert next_step(claimed(ME, LATER).campaign(), STANDING) == Continue(1)


def test_stop_lets_the_experiment_in_hand_end_and_pause_does_not() -> None:
    night = claimed(ME, LATER)
    night.add(ev.CommandGiven(1, "stop"))
    assert next_step(night.campaign(), STANDING) == Continue(1)
    night.add(ev.CommandGiven(2, "pause"))
    step = next_step(night.campaign(), STANDING)
    assert isinstance(step, Stop) and step.reason == "paused"


def test_limit_of_experiments_counts_those_that_others_have_in_hand() -> None:
    limited = replace(STANDING, limits=Limits(experiments=1))
    assert isinstance(next_step(claimed(OTHER, LATER).campaign(), limited), Wait)


def test_what_won_its_place_on_picked_runs_runs_once_more() -> None:
    night = Night()
    night.baseline()
    night.experiment(1, "improved", "better")
    landed = night.incumbent
    picked = night.campaign()
    fresh = [run for run in picked.runs_of(landed) if run.experiment is None]
    assert len(fresh) == 1 and next_step(picked, STANDING) == Begin(2)
    picked = fold(each for each in night.recorded if each.event != fresh[0])
    step = next_step(picked, STANDING)
    assert isinstance(step, MeasureIncumbent) and "unpicked" in step.why


def test_incumbent_is_measured_again_on_schedule_on_new_runners_and_for_new_fingerprints() -> None:
    night = Night()
    night.baseline()
    for number in range(1, 11):
        night.experiment(number, "discarded", f"idea {number}")
    step = next_step(night.campaign(), STANDING)
    assert isinstance(step, MeasureIncumbent) and "10 experiments since" in step.why
    night.baseline(runs=2)
    assert next_step(night.campaign(), STANDING) == Begin(11)
    for number in range(11, 21):
        night.experiment(number, "discarded", f"idea {number}")
    step = next_step(night.campaign(), STANDING)
    assert isinstance(step, MeasureIncumbent) and "10 experiments since" in step.why
    often = replace(STANDING, remeasure_every=11)
    assert next_step(night.campaign(), often) == Begin(21)
    assert isinstance(next_step(night.campaign(), replace(often, runner="1x H200")), MeasureIncumbent)
    assert isinstance(next_step(night.campaign(), replace(often, fingerprint="f2")), MeasureIncumbent)


def test_incumbent_that_only_fails_stops_the_loop_with_its_reason() -> None:
    night = Night()
    night.run(night.incumbent, None, fails=True)
    assert isinstance(next_step(night.campaign(), STANDING), MeasureIncumbent)
    night.run(night.incumbent, None, fails=True)
    step = next_step(night.campaign(), STANDING)
    assert isinstance(step, Stop) and step.reason == "baseline" and "out of memory" in step.detail
    night.add(ev.CommandGiven(1, "resume"))
    assert isinstance(next_step(night.campaign(), STANDING), MeasureIncumbent)


def test_revert_goes_before_everything_new() -> None:
    night = Night()
    night.baseline()
    night.experiment(1, "improved", "better")
    night.add(ev.CommandGiven(1, "revert", 1))
    assert next_step(night.campaign(), STANDING) == Begin(2, reverts=1)
    night.add(ev.ExperimentClaimed(2, night.incumbent, reverts=1))
    assert next_step(night.campaign(), STANDING) == Continue(2)
    assert night.campaign().reverts_waiting == []


def test_seeds_differ_between_commits_runs_and_campaigns() -> None:
    one, other = "a" * 40, "b" * 40
    assert len({seed_of(campaign, one, run) for campaign in range(5) for run in range(1, 100)}) == 495
    assert seed_of(0, one, 1) != seed_of(0, other, 1) and seed_of(3, one, 1) < 3900


def test_a_campaign_begun_anew_makes_its_runs_with_the_same_seeds() -> None:
    night = Night()
    night.baseline()
    night.experiment(1, "improved", "Warm up")
    known = night.campaign()
    assert subject_of(known, known.baseline) == subject_of(Campaign(), "f" * 40) == "incumbent 0"
    assert subject_of(known, "e" * 40, 2) == "experiment 2"
    assert subject_of(known, known.incumbent) == "experiment 1", (
        "landed or not, its runs go on with its seeds"
    )
    assert subject_of(known, "d" * 40) == "reference"
