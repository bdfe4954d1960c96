"""When a metric is believed to have no noise: runs that agree, and steps that are fine enough for that to say much."""

from __future__ import annotations

import random

import pytest

from bot.rules.statistics import pooled_noise, repeats_exactly, step_of


@pytest.mark.parametrize(
    ("scores", "step"),
    [
        ([100032.0, 100016.0], 1.0),
        ([0.905, 0.91], 1 / 178),  # 161 and 162 of 178 are written the same
        ([301 / 333, 300 / 333], 1 / 333),
        ([7501 / 9999], 1 / 9999),
        ([2.0], 1.0),
        ([], 1.0),
    ],
)
def test_the_step_of_a_metric_is_found(scores: list[float], step: float) -> None:
    assert step_of(scores) == pytest.approx(step)


def test_a_loss_with_all_its_digits_has_fine_steps() -> None:
    draw = random.Random(1)
    assert step_of([draw.random() for _ in range(3)]) < 1e-12


@pytest.mark.parametrize(
    ("groups", "exact"),
    [
        ([[523000.0, 523000.0]], False),  # one repeat may be chance
        ([[523000.0, 523000.0], [522990.0, 522990.0]], True),
        ([[523000.0] * 3], True),
        ([[523000.0] * 3, [522000.0, 522001.0]], False),
        ([[1.2345678901234567] * 3], True),
        ([[0.905] * 3], False),  # of 200 samples: half a step of noise would not show
        ([[0.905] * 2, [0.91] * 2], False),
        ([[0.905] * 3, [0.91] * 3], True),
        ([[1.0], [2.0], [3.0]], False),
    ],
)
def test_how_many_runs_must_agree(groups: list[list[float]], exact: bool) -> None:
    level = groups[0][0]
    assert repeats_exactly(groups, 0.001 * level) is exact
    noise = pooled_noise(groups, prior_sigma=0.001 * level, prior_degrees=3)
    assert (noise.sigma == 0) is exact


def test_an_accuracy_with_noise_is_hardly_ever_taken_for_exact() -> None:
    draw = random.Random(2)

    def accuracy() -> float:
        return round((0.9 + draw.gauss(0, 0.004)) * 200) / 200

    taken = sum(
        repeats_exactly([[accuracy() for _ in range(3)] for _ in range(2)], 0.0009) for _ in range(2000)
    )
    assert taken / 2000 < 0.05
