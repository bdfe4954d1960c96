"""The statistics against tables and against simulation."""

from __future__ import annotations

import random
from statistics import fmean

import pytest

from bot.rules.statistics import Noise, compare, pooled_noise, t_quantile


@pytest.mark.parametrize(
    ("probability", "degrees", "expected"),
    # Student's t, from any printed table.
    [
        (0.95, 1, 6.314), (0.95, 2, 2.920), (0.95, 3, 2.353), (0.95, 4, 2.132), (0.95, 10, 1.812),
        (0.95, 30, 1.697), (0.90, 3, 1.638), (0.90, 5, 1.476), (0.975, 3, 3.182), (0.975, 8, 2.306),
        (0.99, 4, 3.747), (0.99, 20, 2.528), (0.5, 7, 0.0),
    ],
)  # fmt: skip
def test_t_quantile_agrees_with_the_table(probability: float, degrees: float, expected: float) -> None:
    assert t_quantile(probability, degrees) == pytest.approx(expected, rel=0.012, abs=1e-9)


@pytest.mark.parametrize(("probability", "degrees"), [(0.0, 3), (1.0, 3), (0.9, 0)])
def test_t_quantile_refuses_what_has_none(probability: float, degrees: float) -> None:
    with pytest.raises(ValueError, match="no t quantile"):
        t_quantile(probability, degrees)


def test_noise_without_replicates_is_the_prior() -> None:
    assert pooled_noise([[1.0], [2.0]], prior_sigma=0.01, prior_degrees=3) == Noise(0.01, 3, 0)


def test_two_equal_scores_do_not_make_a_noise_of_zero() -> None:
    noise = pooled_noise([[1.0, 1.0]], prior_sigma=0.01, prior_degrees=3)
    assert 0.005 < noise.sigma < 0.01


def test_noise_is_found_across_commits_whose_means_differ() -> None:
    draw = random.Random(1)
    groups = [[level + draw.gauss(0, 0.02) for _ in range(3)] for level in range(200)]
    noise = pooled_noise(groups, prior_sigma=0.5, prior_degrees=3)
    assert noise.runs == 600
    assert 0.02 < noise.sigma < 0.07
    assert pooled_noise(groups, prior_sigma=0.02, prior_degrees=3).sigma == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("runs", [1, 2, 8])
def test_bound_covers_the_truth_as_often_as_it_says(runs: int) -> None:
    draw = random.Random(2)
    covered = 0
    for _ in range(2000):
        groups = [[draw.gauss(0, 1) for _ in range(each)] for each in (runs, runs, 2, 2, 2, 2)]
        noise = pooled_noise(groups, prior_sigma=1.0, prior_degrees=3)
        result = compare(groups[0], groups[1], noise, confidence=0.9)
        assert result.effect == pytest.approx(fmean(groups[0]) - fmean(groups[1]))
        covered += result.effect - result.half_width < 0
    assert 0.87 < covered / 2000 < 0.95
