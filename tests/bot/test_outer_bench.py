"""The simulator behind `make bench-outer`: minds with recorded habits, walls where a regime says, and fair pairs."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest

from bot.rules.outer.view import Steer, View
from tests.benchmarks.outer.arms import campaign
from tests.benchmarks.outer.fit import move_of, shares
from tests.benchmarks.outer.landscapes import ELSEWHERE, REGIMES, Regime, dimensions, ground, tidied
from tests.benchmarks.outer.minds import HABITS, Mind, Move, Seen, Told, kind
from tests.benchmarks.outer.play import Game
from tests.benchmarks.outer.researcher import Written, writes
from tests.benchmarks.outer.table import Results, Row, bars, ratio
from tests.benchmarks.outer.trials import trial
from tests.benchmarks.outer.verdicts import Bench


def habits_of(mind: Mind, experiments: int) -> tuple[float, float]:
    """Return the share of exact repeats, and over how many constants the first moves of a mind spread, if all is
    refused."""
    places = {each.name: 0.0 for each in dimensions()}
    history: list[Seen] = []
    tried: list[tuple[str, float]] = []
    for number in range(1, experiments + 1):
        move = mind.propose(history, places, number, Told())
        if move.name:
            history.append(Seen(number, ((move.name, 0.0, move.place),), False))
            tried.append((move.name, move.place))
        else:
            history.append(Seen(number, (), False))
    return (len(tried) - len(set(tried))) / experiments, len({name for name, _ in tried})


def test_descriptions_become_moves() -> None:
    up = move_of("Increase MATRIX_LR from 0.04 to 0.06 for faster learning", kept=False)
    assert up is not None and (up.constant, up.way, up.value) == ("MATRIX_LR", 1, "0.06")
    down = move_of("Halve TOTAL_BATCH_SIZE to get more steps", kept=True)
    assert down is not None and (down.constant, down.way) == ("TOTAL_BATCH_SIZE", -1)
    assert move_of("remove the second norm", kept=False) is None
    found = shares([[up, up, down, up]])
    assert found["repeats"] == pytest.approx(2 / 3, abs=0.001) and found["stay_refused"] == 0.5


@pytest.mark.parametrize("name", ["fixated", "usual", "diverse"])
def test_minds_repeat_themselves_as_often_as_the_recorded_ones(name: str) -> None:
    fitted = json.loads(HABITS.read_text())["kinds"][name]["repeats"]
    found = [habits_of(Mind(name, seed), 40)[0] for seed in range(6)]
    assert sum(found) / 6 == pytest.approx(fitted, abs=0.12)


def test_a_fixated_mind_turns_fewer_constants_than_a_diverse_one() -> None:
    broad = [sum(habits_of(Mind(name, seed), 30)[1] for seed in range(6)) for name in ("fixated", "diverse")]
    assert 2 * broad[0] < broad[1]
    assert kind("fixated").stay_refused > kind("usual").stay_refused > kind("diverse").stay_refused


def test_a_mind_proposes_by_what_it_is_shown_only_and_the_same_twice() -> None:
    places = {each.name: 0.0 for each in dimensions()}
    old, new = Seen(3, (("DEPTH", 0.0, 1.0),), False), Seen(9, (("SOFTCAP", 0.0, 1.0),), False)
    mind = Mind("usual", 4)
    one, again = (Mind("usual", 4).propose([new], places, 10, Told(start=5)) for _ in range(2))
    assert one == again
    assert any(mind.propose([old, new], places, n, Told()) != mind.propose([new], places, n, Told(start=5))
               for n in range(10, 20))  # fmt: skip


def test_a_mind_that_was_sent_back_mostly_leaves_what_came_back() -> None:
    places = {each.name: 0.0 for each in dimensions()}
    back = Told(back=(Move("TOTAL_BATCH_SIZE", -1.0),))
    found = [Mind("fixated", seed).propose([], places, 1, back).name for seed in range(60)]
    assert found.count("TOTAL_BATCH_SIZE") < 25


def true_gain(regime: Regime, seed: int, way: int) -> float:
    """Return what one bold step of every constant in (1) or against (-1) the mind's beliefs gains, each by itself."""
    believed: Mapping[str, int] = Mind(regime.mind, seed).favourites()
    height = ground(regime, seed, believed).landscape.height
    start = {each.name: 0.0 for each in dimensions()}
    total = 0.0
    for name, side in believed.items():
        after = height({**start, name: tidied(name, float(way * side), 0.0)}, {})
        total += max(0.0, -(after or 0.0))
    return total


def test_gains_lie_against_the_mind_if_the_regime_says_so() -> None:
    for wall, more in ((0.0, 1), (1.0, -1)):
        regime = Regime("usual", wall, 0.5)
        for seed in range(5):
            assert true_gain(regime, seed, more) > 3 * true_gain(regime, seed, -more)


def test_regimes_are_at_most_twelve_and_a_prior_comes_from_others() -> None:
    names = {regime.name for regime in REGIMES}
    assert len(names) == len(REGIMES) <= 12
    assert not names & {regime.name for regime in ELSEWHERE}
    assert min(r.noise for r in REGIMES) == 0.05 and max(r.noise for r in REGIMES) == 2.0


def test_the_project_s_rule_takes_large_gains_and_leaves_nulls() -> None:
    regime = Regime("usual", 0.5, 0.5)
    landed = {0.0: 0, -10.0: 0}
    for seed in range(40):
        truth = ground(regime, seed, Mind("usual", seed).favourites())
        for effect in landed:
            bench = Bench(truth.landscape.sigma, truth.noise, truth.control)
            found = bench.judge(1, 0.0, effect * truth.landscape.sigma)
            assert found.cost >= 1 and bench.judge(2, 0.0, None).cost < 1
            landed[effect] += found.landed
    assert landed[-10.0] == 40 and landed[0.0] <= 3


def test_all_arms_meet_the_same_edits_and_noise_and_the_same_arm_plays_the_same() -> None:
    regime = REGIMES[6]
    played = [campaign(regime, 5, arm, 30, 30) for arm in ("plain", "plain", "restart", "cmaes")]
    assert [each.gain for each in played[0].events] == [each.gain for each in played[1].events]
    for one in played:
        assert (one.ground.edits == played[0].ground.edits).all()
        assert (one.ground.noise == played[0].ground.noise).all()
        assert [each.number for each in one.events] == list(range(1, 31))
    short = campaign(regime, 5, "restart", 15, 30)
    assert [e.gain for e in short.events] == [e.gain for e in played[2].events[:15]]


def test_what_a_mechanism_changed_is_counted_beside_what_would_have_been_proposed() -> None:
    plain, kicked = (campaign(REGIMES[2], 3, arm, 20, 30) for arm in ("plain", "kick"))
    assert not any(each.changed for each in plain.events)
    assert any(each.changed for each in kicked.events)
    blind = [each.changed for each in kicked.events if (each.number - 1) % 5 >= 2]
    assert not any(blind[:3])  # a kick is over after two experiments, and nothing has landed yet


def test_half_of_what_the_researcher_writes_is_broken_and_costs_the_campaign_no_more_than_its_block() -> None:
    at_hand = writes(3)(300)
    assert len(at_hand) == 8 and not writes(3)(30)
    assert len({"raises", "nobody", "idle", "refuses", "endless"} & set(at_hand)) == 4
    game = Game(REGIMES[7], 1, 30)
    blocks = trial(game, 20, written=lambda number: {"raises": Written("raises", raising)})
    assert len(game.events) == 20 and sum(1 for block in blocks if block.mechanism == "raises") <= 1


def raising(view: View, seed: int) -> Steer:
    raise LookupError("broken")


def test_ratios_are_paired_and_the_oracle_is_the_best_single_mechanism() -> None:
    rows = [
        Row(regime, seed, arm, (gain * (1 + seed), ), 30.0, {})
        for regime in ("a", "b")
        for seed in range(8)
        for arm, gain in (("plain", 1.0), ("restart", 2.0), ("mix", 3.0 if regime == "a" else 1.0), ("trial", 2.0))
    ]  # fmt: skip
    results = Results(rows, ["restart", "mix"])
    assert [results.oracle(regime, 0) for regime in ("a", "b")] == ["mix", "restart"]
    assert ratio(results.pairs(["a", "b"], 0, "trial", "plain")) == pytest.approx((2.0, 2.0, 2.0))
    added = ratio(results.pairs(["a", "b"], 0, "trial", "oracle", "plain"), less=True)
    assert added[0] == pytest.approx(2 / 3)
    said = "\n".join(bars(results, (30,), (("trial", 30),)))
    assert "over restart" in said and "worst regime" in said


def test_one_campaign_of_a_regime_has_no_interval_and_several_regimes_are_drawn_together() -> None:
    alone = ratio([np.array([[2.0], [1.0]])])
    assert alone[0] == 2.0 and np.isnan(alone[1])
    gains = [np.array([[gain], [1.0]]) for gain in (1.0, 1.5, 2.0, 2.5, 3.0)]
    middle, low, high = ratio(gains)
    assert middle == 2.0 and low < 1.7 and high > 2.3
