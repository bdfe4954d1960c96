"""The joint search: what it learns from differences and crashes, how far it goes, and what it leaves alone."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from bot.agents.constants import Value, constant_values, rewritten
from bot.agents.offline.joint import reach_of
from bot.agents.offline.knobs import knobs_of
from bot.agents.offline.limits import chance_to_run, crash_of
from bot.agents.offline.model import Data, Fit, Ids, Kernel, Points, Prior
from bot.agents.offline.relevances import Slope, posteriors
from bot.agents.offline.search import propose
from bot.agents.offline.space import Rules
from bot.agents.offline.surface import surface_of
from bot.rules.proposal import Change, PastExperiment
from tests.benchmarks.search.landscapes import SOURCE, landscape
from tests.benchmarks.search.searchers import Offline, campaign

FILES = {"train.py": SOURCE}
START = constant_values(FILES)


def past(
    number: int, values: Mapping[str, str], effect: float | None, verdict: str | None = "discarded"
) -> PastExperiment:
    changes = tuple(Change("train.py", name, START[name], new) for name, new in values.items())
    return PastExperiment(
        number, changes, "", "optimization", verdict, effect, None if effect is None else 0.001,
        verdict == "improved", START,
    )  # fmt: skip


def bowl(values: Mapping[str, float]) -> float:
    """Return the effect of values on a bowl: MATRIX_LR is best at twice its start, DEPTH does not matter."""
    step = math.log2(values.get("MATRIX_LR", 0.04) / 0.04)
    return 0.01 * ((step - 1) ** 2 - 1)


def seen() -> list[PastExperiment]:
    tried: list[dict[str, float]] = [
        {"MATRIX_LR": 0.03}, {"MATRIX_LR": 0.02, "DEPTH": 10}, {"DEPTH": 6}, {"MATRIX_LR": 0.055, "BETA2": 0.9},
        {"MATRIX_LR": 0.06, "DEPTH": 10, "GRAD_CLIP": 2.0}, {"MATRIX_LR": 0.2}, {"DEPTH": 12, "GRAD_CLIP": 0.5},
        {"MATRIX_LR": 0.05, "BETA2": 0.97, "GRAD_CLIP": 1.5},
    ]  # fmt: skip
    return [
        past(n, {k: str(v) for k, v in each.items()}, bowl(each)) for n, each in enumerate(tried, start=1)
    ]


def test_it_learns_from_moves_of_several_which_knob_counts_and_where_its_best_lies() -> None:
    surface = surface_of(knobs_of(FILES), seen(), random.Random(0))

    def mean(**values: Value) -> float:
        return surface.effect(values)[0]

    assert abs(mean(MATRIX_LR=0.08) - -0.01) < 0.003
    assert mean(MATRIX_LR=0.02) > 0.015
    assert abs(mean(DEPTH=10)) < 0.004
    worth = surface.worth(surface.frame.points([{"MATRIX_LR": 0.08}, {"DEPTH": 10}, {"MATRIX_LR": 0.02}]))
    assert worth[0] == worth.max() and worth[0] > 0.006


def test_what_was_measured_on_an_earlier_incumbent_counts_from_there() -> None:
    """MATRIX_LR went to 0.08 and landed: what 0.04 did before is seen from 0.08."""
    files = {"train.py": SOURCE.replace("MATRIX_LR = 0.04", "MATRIX_LR = 0.08")}
    landed = past(9, {"MATRIX_LR": "0.08"}, -0.01, "improved")
    surface = surface_of(knobs_of(files), [*seen(), landed], random.Random(0))
    assert abs(surface.effect({"MATRIX_LR": 0.04})[0] - 0.01) < 0.003
    without = [replace(each, parent_values={}) for each in [*seen(), landed]]
    blind = surface_of(knobs_of(files), without, random.Random(0))
    assert abs(blind.effect({"MATRIX_LR": 0.04})[0] - 0.01) < 0.003


def test_a_disaster_does_not_blow_up_the_scale() -> None:
    calm = surface_of(knobs_of(FILES), seen(), random.Random(0))
    wild = surface_of(knobs_of(FILES), [*seen(), past(9, {"INIT_STD": "0.08"}, 50.0)], random.Random(0))
    assert wild.effect({"MATRIX_LR": 0.08})[1] < 5 * calm.effect({"MATRIX_LR": 0.08})[1] + 0.01
    assert wild.worth(wild.frame.points([{"INIT_STD": 0.08}]))[0] < 0.001


def points(*rows: tuple[float, float]) -> Points:
    return Points(np.array(rows, dtype=np.float64), np.zeros((len(rows), 0), dtype=np.int64))


def test_a_crash_blames_what_went_further_than_all_that_ran() -> None:
    both = crash_of(points((0, 0)), points((1, -1)), points((0, 0)))
    assert chance_to_run([both], points((0.5, -0.5), (1, 0), (0, -2), (1.5, -1))).tolist() == [1, 0.5, 0.5, 0]
    one = crash_of(points((0, 0)), points((1, -1)), points((0, 0), (2, 0)))
    assert chance_to_run([one], points((1, 0), (0, -1))).tolist() == [1, 0]


def test_moves_go_further_after_a_gain_nearer_after_failures_and_begin_anew_when_nothing_is_near() -> None:
    lost = [past(number, {"DEPTH": "9"}, 0.01) for number in range(1, 40)]
    sizes = [reach_of(lost[:count]) for count in range(len(lost))]
    assert sizes[0] > sizes[1] > sizes[5]
    assert min(sizes) >= 0.25 and any(later > before for before, later in pairwise(sizes))
    assert reach_of([*lost[:5], past(6, {"DEPTH": "10"}, -0.01, "improved")]) > sizes[5]
    assert reach_of([*lost[:5], past(6, {"DEPTH": "10"}, None, None)]) == sizes[5]


def test_it_turns_what_it_may_leaves_the_rest_and_says_why_together() -> None:
    rules = Rules(leave=("DEPTH", "*_LR"), turn=("MATRIX_LR",))
    flying = past(9, {"GRAD_CLIP": "2.0"}, None, None)
    names: set[str] = set()
    for number in range(10, 16):
        proposal = propose(FILES, [*seen(), flying], seed=0, number=number, rules=rules)
        assert proposal is not None
        assert proposal == propose(FILES, [*seen(), flying], seed=0, number=number, rules=rules)
        assert len(proposal.hypothesis) <= 100
        assert proposal.files == rewritten(FILES, proposal.changes)
        if len(proposal.changes) > 1:
            assert "They move together" in proposal.reason
        names |= {change.name for change in proposal.changes}
    assert "MATRIX_LR" in names
    assert not {"DEPTH", "GRAD_CLIP", "EMBEDDING_LR", "UNEMBEDDING_LR"} & names


def test_choices_and_numbers_are_searched_together() -> None:
    found = campaign(landscape("conditional", "test/1"), Offline, experiments=12, seed=1)
    assert found.repeats == 0
    assert found.gains[-1] > 0.1


def measured(count: int, choices: int) -> tuple[Prior, Data]:
    """Return what `count` moves from one place gave of four numbers, of which only the first counts."""
    draw = np.random.default_rng(1)
    prior = Prior(
        np.full(4, 0.3), np.full(choices, 0.3), np.ones(4), np.zeros(choices, dtype=np.int64), scale=0.02
    )
    points = Points(draw.normal(size=(count + 1, 4)), draw.integers(0, 3, (count + 1, choices)))
    score = 0.02 * (points.places[:, 0] - 1) ** 2
    start: Ids = np.zeros(count, dtype=np.int64)
    return prior, Data(
        points, start, start + np.arange(1, count + 1), score[1:] - score[0], np.full(count, 1e-6)
    )


def test_the_slope_of_the_evidence_is_that_of_small_differences() -> None:
    for choices in (0, 2):
        prior, data = measured(20, choices)
        sizes = 0.01 * np.exp(np.random.default_rng(2).normal(size=4 + choices))
        largest = int(sizes.argmax())  # lengths are told in it, which the slope takes for given

        def evidence(
            off: float, column: int, sizes: np.ndarray = sizes, prior: Prior = prior, data: Data = data
        ) -> float:
            moved = sizes.copy()
            moved[column] *= math.exp(off)
            return Fit(Kernel(prior, moved[:4], moved[4:]), data).evidence

        slopes = Slope(prior, data).at(sizes[:4], sizes[4:])
        for column in set(range(4 + choices)) - {largest}:
            near = (evidence(1e-4, column) - evidence(-1e-4, column)) / 2e-4
            assert math.isclose(slopes[column], near, rel_tol=1e-3, abs_tol=1e-3)


def test_from_some_experiments_on_it_knows_what_counts_for_sure() -> None:
    prior, data = measured(20, 0)
    (found,) = posteriors(prior, data, range(4), random.Random(0))
    assert found.kernel.numbers[0] > 5 * max(found.kernel.numbers[1:])
    mean, spread = found.effect(
        Points(np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0]]), np.zeros((2, 0), dtype=np.int64))
    )
    assert abs(mean[0] + 0.02) < 0.004 and abs(mean[1]) < 0.002 and max(spread) < 0.004
