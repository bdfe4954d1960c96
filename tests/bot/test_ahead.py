"""What is prepared ahead: when it may begin, when its turn comes, what it costs, and how the time went. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.rules import events as ev
from bot.rules.ahead import is_untrained, record_of
from bot.rules.night import use_of
from bot.rules.schedule import Begin, Continue, MeasureIncumbent, Standing, next_ahead, next_step
from bot.rules.stages import stage_of
from bot.rules.stopping import Limits, Stop
from tests.bot.campaigns import NOW, START, Night, commit_of

ME, OTHER = "host/me", "host/other"
STANDING = Standing(
    holder=ME, now=NOW, runner="1x H100", fingerprint="f1", limits=Limits(), incumbent_runs=2,
    remeasure_every=10, is_dead=lambda holder: False, overlaps=True,
)  # fmt: skip
LATER = (NOW + timedelta(minutes=5)).isoformat()
BUILT = commit_of("ahead")


def prepared(night: Night, number: int, *, cost: float = 0.25, ahead: bool = True, holder: str = ME) -> None:
    """Record an experiment that waits for its training."""
    night.add(ev.ExperimentClaimed(number, night.incumbent, ahead=ahead))
    night.add(ev.LeaseTaken(f"experiment:{number}", 1, holder, LATER))
    night.add(
        ev.ExperimentProposed(number, "Try it", "other", "Because", "small", "low", "claude", cost_usd=cost)
    )
    night.add(ev.CandidateBuilt(number, 1, night.incumbent, BUILT, 1, 1))
    night.add(ev.PullOpened(number, number, f"nocturne/exp/{number}", ""))
    night.add(ev.Reviewed(number, 1, True, (), "f"))


def measured() -> Night:
    night = Night()
    night.baseline(runs=2)
    return night


def test_what_was_prepared_comes_before_a_new_one_and_after_what_that_comes_after() -> None:
    night = measured()
    prepared(night, 1)
    assert next_step(night.campaign(), STANDING) == Continue(1)
    last = replace(STANDING, limits=Limits(experiments=1))
    assert next_step(night.campaign(), last) == Continue(1), "it counts already"
    assert isinstance(next_step(night.campaign(), replace(STANDING, runner="1x H200")), MeasureIncumbent)
    night.add(ev.CommandGiven(1, "stop"))
    assert isinstance(next_step(night.campaign(), STANDING), Stop), "nothing of it has run, so that it waits"
    night.add(ev.CommandGiven(2, "resume"))
    assert next_step(night.campaign(), STANDING) == Continue(1)
    # Once it has run it is like any other: it is brought to its end before anything stops.
    night.level[BUILT] = 0.99
    night.run(BUILT, 1)
    night.add(ev.CommandGiven(3, "stop"))
    assert not is_untrained(night.campaign(), night.campaign().experiments[1])
    assert next_step(night.campaign(), STANDING) == Continue(1)


def test_one_that_another_loop_prepared_is_left_to_it() -> None:
    night = measured()
    prepared(night, 1, holder=OTHER)
    assert next_step(night.campaign(), STANDING) == Begin(2)


def test_a_revert_goes_before_what_was_prepared() -> None:
    night = measured()
    night.experiment(1, "improved", "better")
    prepared(night, 2)
    night.add(ev.CommandGiven(1, "revert", 1))
    assert next_step(night.campaign(), STANDING) == Begin(3, reverts=1)
    assert next_ahead(night.campaign(), STANDING, 5.0) is None, "the head will be another one"
    full = replace(STANDING, limits=Limits(experiments=2))
    assert next_step(night.campaign(), full) == Continue(2), "there is room for no other"


def closing(night: Night, number: int) -> None:
    night.experiment(number, "discarded", f"idea {number}", finish=False)
    night.add(
        ev.ExperimentDecided(
            number, 1, "discarded", False, 0.01, 0.001, 0.001, 1.0, 0.99, 1, 2, "worse", "It is worse."
        )
    )


def test_what_is_only_to_be_closed_waits_for_a_training_if_there_is_one() -> None:
    night = measured()
    closing(night, 1)
    night.baseline(runs=2)  # else that would be due
    assert next_step(night.campaign(), STANDING) == Continue(1), "nothing trains beside it"
    prepared(night, 2)
    assert next_step(night.campaign(), STANDING) == Continue(2)
    alone = replace(STANDING, overlaps=False)
    assert next_step(night.campaign(), alone) == Continue(1)
    # It counts where a stop condition asks what has ended: the campaign does not train one too many.
    over = replace(STANDING, limits=Limits(plateau=1))
    assert next_step(night.campaign(), over) == Continue(1)
    night.add(ev.ExperimentFinished(1))
    assert isinstance(next_step(night.campaign(), over), Stop)


def test_nothing_is_prepared_ahead_at_the_end_or_for_too_much_money() -> None:
    night = Night()
    assert next_ahead(night.campaign(), STANDING, 5.0) is None, "nobody knows yet whether the task runs"
    night.baseline(runs=2)
    assert next_ahead(night.campaign(), STANDING, 5.0) == Begin(1)
    assert next_ahead(night.campaign(), STANDING, 0.0) is None
    assert next_ahead(night.campaign(), STANDING, 5.0) == Begin(1)
    night.experiment(1, "discarded", "worse", finish=False)
    one = replace(STANDING, limits=Limits(experiments=1))
    assert next_ahead(night.campaign(), one, 5.0) is None
    late = replace(STANDING, limits=Limits(deadline=(NOW - timedelta(minutes=1)).isoformat()))
    assert next_ahead(night.campaign(), late, 5.0) is None


def dropped(cost: float, verdict: ev.Verdict = "lost") -> Night:
    night = measured()
    prepared(night, 1, cost=cost)
    night.add(
        ev.ExperimentDecided(
            1, 1, verdict, False, None, None, None, None, None, 0, 0, "does not fit", "It does not fit."
        )
    )
    night.add(ev.ExperimentFinished(1))
    return night


def test_what_was_dropped_untrained_is_counted_with_its_price() -> None:
    found = record_of(dropped(2.5).campaign())
    assert (found.prepared, found.trained, found.dropped, found.dropped_usd) == (1, 0, 1, 2.5)
    assert next_ahead(dropped(2.5).campaign(), STANDING, 2.5) is None
    assert next_ahead(dropped(2.5).campaign(), STANDING, 2.6) == Begin(2)
    refused = record_of(dropped(2.5, "rejected").campaign())
    assert (refused.dropped, refused.dropped_usd) == (0, 0.0), (
        "a review would have refused it in its turn too"
    )


def test_the_incumbent_changing_under_it_before_it_runs_carries_it_over() -> None:
    night = measured()
    prepared(night, 1)
    assert stage_of(night.campaign(), night.campaign().experiments[1], None) == "train"
    night.add(ev.IncumbentMoved(commit_of("other"), night.incumbent, 1))
    assert stage_of(night.campaign(), night.campaign().experiments[1], None) == "rebase"
    night.level[BUILT] = 0.99
    night.run(BUILT, 1)
    assert stage_of(night.campaign(), night.campaign().experiments[1], None) == "train", "it was paid for"
    begun = measured()
    prepared(begun, 1, ahead=False)
    begun.add(ev.IncumbentMoved(commit_of("other"), begun.incumbent, 1))
    assert stage_of(begun.campaign(), begun.campaign().experiments[1], None) == "train"


def at(night: Night, event: ev.Event, seconds: float) -> None:
    night.recorded.append(ev.Recorded(event, (START + timedelta(seconds=seconds)).isoformat(), ME))


def ran(
    commit: str, number: int, experiment: int | None, late: float = 0.0, beside: str = ""
) -> ev.RunFinished:
    return ev.RunFinished(
        f"{commit[:12]}-{number}", commit, 1, number, experiment, 1.0, None, {}, "f1", "bubblewrap", "1x H100",
        30.0, 30.0, late=late, beside=beside,
    )  # fmt: skip


def test_the_time_is_told_apart_by_what_was_waited_for() -> None:
    night = Night()
    at(night, ev.ExperimentClaimed(1, night.incumbent), 10)
    at(night, ran("a" * 40, 1, 1), 60)
    at(night, ev.ExperimentClaimed(2, night.incumbent), 61)  # begun when nothing ran: 30 to 60, 80 to 110
    at(night, ran("b" * 40, 1, 2), 110)
    at(night, ev.ExperimentClaimed(3, night.incumbent, ahead=True), 100)
    at(night, ran("c" * 40, 1, 3, late=5), 147)  # 112 to 142, noticed at 147
    at(night, ran(night.incumbent, 1, None, beside="d" * 40), 180)  # 150 to 180
    use = use_of(night.campaign())
    assert use is not None
    assert (use.wall, use.running, use.useful) == (150.0, 120.0, 90.0)
    assert (use.prepared, use.late, use.between) == (20.0, 5.0, 5.0)
    at(night, ev.LoopStopped("requested", "done", 3), 181)
    at(night, ran("e" * 40, 1, 3), 1000)
    again = use_of(night.campaign())
    assert again is not None and again.wall == 180.0, "who is asleep waits for nothing"
