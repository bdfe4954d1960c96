"""Head and baseline side by side: when it is due, what it says, and that nothing is confirmed without it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.errors import UserError
from bot.loop.confirming import confirm, require_confirmed
from bot.rules import events as ev
from bot.rules.campaign import Campaign
from bot.rules.confirming import (
    SEEDS,
    Beside,
    Confirmation,
    baseline_of,
    confirmation_of,
    is_side_by_side,
    next_run,
)
from bot.rules.halving import Doubt
from bot.rules.lost_runs import INFRASTRUCTURE
from bot.rules.measuring import before
from bot.rules.schedule import Begin, Standing, Wait, next_replicate, run_id
from bot.rules.statistics import Noise
from bot.rules.stopping import Limits, Stop
from bot.tell.figures.campaign import figures
from bot.tell.figures.plain import status_json
from bot.tell.figures.promotion import promotion_figures
from bot.tell.views.promotion import promotion_title
from bot.tell.words import confirmation_words, gain_words
from tests.bot.campaigns import NOW, SIGMA, Night, commit_of
from tests.bot.repositories import CONFIG, git, make_repository, nocturne
from tests.bot.scripted import WINS, Loop, recorded

SCALE = ("1x H100", "f1")
STANDING = Standing(
    holder="host/1", now=NOW, runner=SCALE[0], fingerprint=SCALE[1], limits=Limits(), incumbent_runs=2,
    remeasure_every=10, is_dead=lambda holder: False,
)  # fmt: skip
END = Stop("experiments", "all are done")


def noise() -> Noise:
    return Noise(SIGMA, 30, 30)


def night_of(runs: int) -> Night:
    """Return a night with one merge and as many runs in all."""
    night = Night()
    night.baseline()
    night.experiment(1, "improved", "Warm up")
    night.baseline(runs - len(night.campaign().runs))
    return night


def record(night: Night, side: Beside, score: float | None, *, failure: str = "oom") -> None:
    """Record the run that was asked for."""
    night.run(side.commit, None, score=score, fails=score is None)
    last = night.recorded[-1]
    assert isinstance(last.event, ev.RunFinished)
    reason = None if score is not None else {"class": failure, "reason": "no memory"}
    made = replace(last.event, seed=side.seed, beside=side.beside, failure=reason)
    night.recorded[-1] = ev.Recorded(made, last.at, last.by)


def played(night: Night, pairs: int, *, gain: float) -> list[Beside]:
    """Make all runs that are lacking, the head better by `gain`; return them in their order."""
    made = []
    while (side := next_run(night.campaign(), SCALE, pairs, 1)) is not None:
        made.append(side)
        is_head = side.commit == night.incumbent
        record(night, side, 0.99 - (gain if is_head else 0.0))
    return made


def found(campaign: Campaign, sigma: float = SIGMA) -> Confirmation:
    known = confirmation_of(campaign, SCALE, Noise(sigma, 30, 30))
    assert known is not None
    return known


def test_pairs_share_a_new_seed_and_take_turns_in_coming_first() -> None:
    night = night_of(10)
    base, head = night.campaign().baseline, night.incumbent
    runs = played(night, 3, gain=0.01)
    assert [run.commit for run in runs] == [base, head, head, base, base, head]
    assert [run.seed for run in runs] == [1000 + SEEDS + n for n in (1, 1, 2, 2, 3, 3)]
    known = found(night.campaign())
    assert len(known.pairs) == 3 and known.gain == pytest.approx(0.01) and known.holds
    night.experiment(2, "improved", "Cool down")
    assert confirmation_of(night.campaign(), SCALE, Noise(SIGMA, 30, 30)) is None, "it was of another head"
    assert played(night, 1, gain=0.01)[0].seed == 1000 + SEEDS + 4, "seeds are new for each head"


@pytest.mark.parametrize(("gain", "holds"), [(0.01, True), (0.0005, False), (-0.01, False)])
def test_only_what_is_beyond_the_noise_holds(gain: float, holds: bool) -> None:
    night = night_of(10)
    played(night, 2, gain=gain)
    known = found(night.campaign())
    assert known.holds == holds and known.is_whole
    assert known.gain - known.least == pytest.approx(
        1.31 * SIGMA, rel=0.01
    )  # t at 90 % with 30 degrees, two pairs


def test_a_larger_score_can_be_the_better_one() -> None:
    night = Night(direction="maximize")
    night.baseline()
    night.experiment(1, "improved", "Warm up")
    played(night, 2, gain=-0.01)
    assert found(night.campaign()).holds


def test_while_another_loop_makes_a_run_of_the_head_nobody_makes_the_same_one() -> None:
    night = night_of(40)
    side = before(Begin(2), night.campaign(), STANDING, 1, noise)
    assert isinstance(side, Beside)
    number = next_replicate(night.campaign(), side.commit)
    until = (NOW + timedelta(minutes=5)).isoformat()
    night.add(ev.LeaseTaken(f"run:{run_id(side.commit, number)}", 1, "somebody else", until))
    assert before(Begin(2), night.campaign(), STANDING, 1, noise) == Begin(2)
    assert isinstance(before(END, night.campaign(), STANDING, 1, noise), Wait)
    later = replace(STANDING, now=NOW + timedelta(minutes=6))
    assert before(END, night.campaign(), later, 1, noise) == side


def test_a_run_beside_a_head_that_another_loop_has_replaced_meanwhile_is_one_all_the_same() -> None:
    night = night_of(40)
    side = before(Begin(2), night.campaign(), STANDING, 1, noise)
    assert isinstance(side, Beside)
    record(night, side, 0.99)
    last = night.recorded.pop().event
    assert isinstance(last, ev.RunFinished) and is_side_by_side(night.campaign(), last, 1)
    night.experiment(2, "improved", "Cool down")
    assert is_side_by_side(night.campaign(), last, 1)
    assert not is_side_by_side(night.campaign(), replace(last, seed=last.seed + 1000), 1)
    assert not is_side_by_side(night.campaign(), replace(last, beside=commit_of("another")), 1)


def test_a_tenth_of_the_runs_goes_into_it() -> None:
    def due(runs: int, step: object = Begin(2), **changed: object) -> bool:
        campaign = night_of(runs).campaign()
        stands = replace(STANDING, **changed)  # type: ignore[arg-type]
        return isinstance(before(step, campaign, stands, 1, noise), Beside)  # type: ignore[arg-type]

    assert not due(39) and due(40)
    assert not due(19, END) and due(20, END), "a short night says that nothing is confirmed"
    assert not due(30, Stop("crashes", "5")) and not due(30, Stop("deadline", "passed")), (
        "no time is left then"
    )
    # Of five minutes and a half each four runs are made in half an hour.
    soon, late = ((NOW + timedelta(minutes=m)).isoformat(timespec="minutes") for m in (20, 60))
    assert due(30, limits=Limits(deadline=soon)) and not due(30, limits=Limits(deadline=late))
    assert due(30, limits=Limits(gpu_hours=30 * 300 / 3600 + 0.2))
    for pairs, runs in ((2, 45), (3, 60), (10, 400)):
        night = night_of(runs)
        while isinstance(side := before(END, night.campaign(), STANDING, 1, noise), Beside):
            record(night, side, 0.99)
        assert len(found(night.campaign()).pairs) == pairs


def test_runs_that_fail_end_it() -> None:
    night = night_of(10)
    for _ in range(2):
        side = next_run(night.campaign(), SCALE, 2, 1)
        assert side is not None
        record(night, side, None)
    assert next_run(night.campaign(), SCALE, 2, 1) is None


def test_runs_that_the_machine_loses_for_ever_end_it_too() -> None:
    night = night_of(10)
    for _ in range(20):
        side = next_run(night.campaign(), SCALE, 2, 1)
        if side is None:
            return
        record(night, side, None, failure=INFRASTRUCTURE)
    pytest.fail("a machine that loses every run is asked for ever")


def test_after_a_promotion_the_head_is_measured_beside_what_was_promoted() -> None:
    night = night_of(10)
    promoted = night.incumbent
    night.add(ev.PromotionOpened(9, "https://example.org/pull/9"))
    night.add(ev.PromotionShown(9, promoted, night.campaign().baseline, "d", 1, ""))
    night.add(ev.PromotionEnded(9, "merged", promoted))
    assert baseline_of(night.campaign()) == promoted and next_run(night.campaign(), SCALE, 2, 1) is None
    night.experiment(2, "improved", "Cool down")
    side = next_run(night.campaign(), SCALE, 2, 1)
    assert side is not None and (side.commit, side.beside) == (promoted, night.incumbent)


def stack(worth: dict[int, float]) -> tuple[Night, dict[str, float]]:
    """Return a night of 40 runs with four merges that claim 0.01 each, and the level of each incumbent: what a merge
    was worth is 0.01 if it isn't named."""
    night = Night()
    night.baseline(24)
    level = {night.incumbent: 1.0}
    for number in range(1, 5):
        before_it = level[night.incumbent]
        night.experiment(number, "improved", f"Change {number}")
        level[night.incumbent] = before_it - worth.get(number, 0.01)
        made = next(
            i for i, r in enumerate(night.recorded[::-1], 1) if isinstance(r.event, ev.ExperimentDecided)
        )
        decided = night.recorded[-made]
        assert isinstance(decided.event, ev.ExperimentDecided)
        claims = replace(decided.event, effect=-0.01)
        night.recorded[-made] = ev.Recorded(claims, decided.at, decided.by)
    return night, level


@pytest.mark.parametrize(("worth", "out"), [
    ({}, None), ({1: 0.0, 2: 0.003}, None), ({1: -0.02}, 1), ({2: -0.03}, 2), ({3: -0.03}, 3), ({4: -0.02}, 4),
])  # fmt: skip
def test_what_does_not_hold_is_found_by_halving_and_taken_out(
    worth: dict[int, float], out: int | None
) -> None:
    night, level = stack(worth)
    runs, step = 0, before(END, night.campaign(), STANDING, 1, noise)
    while isinstance(step, Beside):
        record(night, step, level[step.commit])
        runs, step = runs + 1, before(END, night.campaign(), STANDING, 1, noise)
    if out is None:
        assert step == END and runs == 4
        return
    assert isinstance(step, Doubt) and step.experiment == out and runs <= 4 + 2 * 2
    assert step.claimed == pytest.approx(0.01) and step.worth == pytest.approx(worth[out])
    night.add(ev.MergeDoubted(step.experiment, step.claimed, step.worth))
    assert before(END, night.campaign(), STANDING, 1, noise) == Begin(5, reverts=out)
    # Once it is out, the new head is measured at once; nobody is doubted twice.
    night.add(ev.ExperimentClaimed(5, night.incumbent, reverts=out))
    night.add(ev.CandidateBuilt(5, 1, night.incumbent, commit_of("out"), 1, 1))
    night.add(
        ev.ExperimentDecided(5, 1, "discarded", True, 0.0, 0.1, SIGMA, 1.0, 1.0, 2, 2, "it did not hold", ".")
    )
    night.add(ev.ExperimentLanded(5, commit_of("out"), night.incumbent))
    night.add(ev.ExperimentFinished(5))
    side = before(END, night.campaign(), STANDING, 1, noise)
    assert isinstance(side, Beside) and commit_of("out") in (side.commit, side.beside)


def test_what_people_read() -> None:
    night = night_of(10)

    def told() -> tuple[str, str, str]:
        campaign = night.campaign()
        of = figures(campaign, now=NOW, prior_sigma=SIGMA)
        promotion = promotion_figures(campaign, of, 0, set(campaign.incumbents))
        said = confirmation_words(of, of.confirmation) if of.confirmation is not None else ""
        return promotion_title(of, promotion), gain_words(of), said

    title, _, _ = told()
    assert title.endswith("1 change, not confirmed")
    played(night, 1, gain=0.05)
    title, phrase, said = told()
    assert title.endswith("1 change, not confirmed") and said.endswith("one pair of runs confirms nothing.")
    played(night, 2, gain=0.05)
    title, phrase, said = told()
    assert title.endswith("1 confirmed change")
    assert phrase.startswith("better by 0.05") and phrase.endswith(
        "(side by side, 2 new seeds each: confirmed)"
    )
    assert said.startswith("Run side by side with 2 new seeds each, the head is better by 0.05")
    assert "(90 % interval): the gain is confirmed, at least 0.0" in said and said.endswith(
        "with 90 % confidence."
    )
    told_json = status_json(figures(night.campaign(), now=NOW, prior_sigma=SIGMA))["confirmation"]
    assert told_json["holds"] and len(told_json["head"]) == len(told_json["baseline"]) == 2


def test_the_bot_promotes_only_what_is_confirmed_and_the_command_confirms(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo")
    said = nocturne(top, "confirm", code=2).stderr
    assert "has not begun" in said or "nothing was merged yet" in said
    loop = Loop(top, WINS)
    loop.run(1)
    campaign = loop.campaign
    assert campaign.landed_as, "the first of these changes wins"
    with pytest.raises(UserError, match="were not run side by side yet: `nocturne confirm` does it"):
        require_confirmed(loop.context, campaign)
    before = len(recorded(top, ev.RunFinished))
    said = nocturne(top, "confirm", "--pairs", "2").stdout
    assert "Run side by side with 2 new seeds each, the head is better by " in said
    assert "self-reported, by code that candidates may change" in said, "the formula task has no wall"
    runs = [run for run in recorded(top, ev.RunFinished) if isinstance(run, ev.RunFinished)][before:]
    assert [bool(run.beside) for run in runs] == [True] * 4 and len({run.seed for run in runs}) == 2
    assert "Run side by side with 2 new seeds" in nocturne(top, "confirm", "--pairs", "2").stdout
    assert len(recorded(top, ev.RunFinished)) == before + 4, "what is measured is not measured again"
    require_confirmed(loop.context, confirm(loop.context, loop.campaign, pairs=2))


@pytest.mark.long
def test_the_loop_takes_out_what_does_not_hold_before_it_ends(tmp_path: Path) -> None:
    top = make_repository(tmp_path / "repo", config=f"{CONFIG}stop: {{experiments: 2}}\n")
    loop = Loop(top, ({"LEARNING_RATE": "0.002"}, {"BATCH_SIZE": "32"}))
    loop.run(2)
    campaign = loop.campaign
    base, first, head = campaign.incumbents
    newest = campaign.runs_of(head)[-1]

    def made(commit: str, number: int, score: float, seed: int, other: str = "") -> ev.RunFinished:
        run = f"{commit[:12]}-{number}"
        return replace(newest, run=run, commit=commit, replicate=number, experiment=None, score=score, seed=seed,
                       beside=other)  # fmt: skip

    level = {base: 1.08, first: 1.04, head: 1.07}
    runs = [made(base, 20 + n, 1.08, 2000 + n) for n in range(20)]
    runs += [made(c, 50 + n, level[c], 901 + n, head if c == base else base) for n in (0, 1) for c in level]
    loop.context.ledger.append(lambda _: runs)
    loop.run(None)
    assert "experiment 2 does not hold: a gain of " in loop.said
    campaign = loop.campaign
    revert = campaign.experiments[3]
    assert revert.reverts == 2 and revert.landed is not None and revert.proposal is not None
    assert revert.proposal.reason.startswith("Experiment 2 does not hold: a gain of ")
    assert revert.decision is not None and "because it did not hold side by side" in revert.decision.reason
    assert git(top, "diff", "--name-only", first, "nocturne/main") == "", "what came before is as it was"
    beside = [run for run in campaign.side_by_side if campaign.incumbent in (run.commit, run.beside)]
    assert len(beside) == 4, "and what is left is measured side by side anew"
