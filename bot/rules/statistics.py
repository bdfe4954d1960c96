"""The few statistics that verdicts rest on, and whether a metric repeats exactly."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import NormalDist, fmean

EACH_END = 0.95
"""Confidence at each end of every margin that people are told: what stands after `±` makes a 90 % interval."""


@dataclass(frozen=True)
class Scored:
    """A run that finished: its score, its seed, and when it ended, in seconds from anywhere."""

    score: float
    seed: int
    at: float


def one_per_seed(runs: Sequence[Scored]) -> list[Scored]:
    """Return the first run of each seed: a second one may repeat it exactly and tell nothing of the noise."""
    return list({run.seed: run for run in reversed(runs)}.values())


@dataclass(frozen=True)
class Noise:
    """Run-to-run standard deviation `sigma` (score units), known with `degrees` degrees of freedom.

    `runs` counts the replicated runs it was learned from; 0 if it is the prior alone.
    """

    sigma: float
    degrees: float
    runs: int


def pooled_noise(groups: Iterable[Sequence[float]], *, prior_sigma: float, prior_degrees: float) -> Noise:
    """Estimate the noise from replicates: scores of one commit form a group.

    Variances are pooled over the groups and shrunk towards `prior_sigma`, which weighs as much as
    `prior_degrees` replicates: the mean of a scaled inverse chi-squared posterior (Gelman et al., Bayesian
    Data Analysis, 3rd ed., section 2.6), so that two equal scores do not make a noise of zero. Many equal ones do:
    what repeats exactly has none.
    """
    groups = [list(group) for group in groups]
    if repeats_exactly(groups, prior_sigma):
        return Noise(
            0.0, sum(len(g) - 1 for g in groups if len(g) > 1), sum(len(g) for g in groups if len(g) > 1)
        )
    squares, degrees, runs = prior_degrees * prior_sigma**2, prior_degrees, 0
    for group in groups:
        if len(group) < 2:
            continue
        mean = fmean(group)
        squares += sum((score - mean) ** 2 for score in group)
        degrees += len(group) - 1
        runs += len(group)
    return Noise(math.sqrt(squares / degrees) if degrees else prior_sigma, degrees, runs)


def t_quantile(probability: float, degrees: float) -> float:
    """Return the quantile of Student's t distribution.

    Exact for 1 and 2 degrees of freedom; beyond that the expansion of Abramowitz & Stegun 26.7.5, whose
    error is below 1 % from 3 degrees on for probabilities up to 0.99.
    """
    if not 0 < probability < 1 or degrees < 1:
        raise ValueError(f"no t quantile at probability {probability} with {degrees} degrees of freedom")
    if degrees < 2:
        return math.tan(math.pi * (probability - 0.5))
    if degrees < 3:
        return (2 * probability - 1) / math.sqrt(2 * probability * (1 - probability))
    x = NormalDist().inv_cdf(probability)
    terms = (
        x,
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return sum(term / degrees**power for power, term in enumerate(terms))


@dataclass(frozen=True)
class Comparison:
    """Candidate minus incumbent: `effect` with a one-sided bound of `half_width` (score units)."""

    effect: float
    half_width: float
    candidate: float
    incumbent: float
    candidate_runs: int
    incumbent_runs: int
    sigma: float


def compare(
    candidate: Sequence[float], incumbent: Sequence[float], noise: Noise, *, confidence: float
) -> Comparison:
    """Compare two sets of scores whose runs share one noise; `confidence` is one-sided (0.95)."""
    mine, theirs = fmean(candidate), fmean(incumbent)
    error = noise.sigma * math.sqrt(1 / len(candidate) + 1 / len(incumbent))
    return Comparison(
        effect=mine - theirs,
        half_width=t_quantile(confidence, noise.degrees) * error,
        candidate=mine,
        incumbent=theirs,
        candidate_runs=len(candidate),
        incumbent_runs=len(incumbent),
        sigma=noise.sigma,
    )


# Whether a metric repeats exactly: the same score from each run of a commit, whatever the seed.
#
# Identical runs can also come from a metric of few values, such as the accuracy on 200 samples, which hides a noise
# smaller than its steps. So the coarser the metric's steps are beside the noise to be expected, the more runs must
# agree: of two commits that score alike, one with five runs and one with two are parted this way by chance in fewer
# than 5 % of cases, whatever the noise is (a permutation test, 1 of 21).

ROUNDING = 1e-9  # of the score: smaller differences are the order of additions
_AGREEING = 2  # runs that repeated their commit's score, if the steps are fine
_AGREEING_COARSE = 4
_FINE = 0.1  # of the expected noise
_MOST_VALUES = 64
_LARGEST_COUNT = 10_000


def same(one: float, other: float) -> bool:
    """Return whether two scores differ by no more than rounding."""
    return abs(one - other) <= ROUNDING * max(abs(one), abs(other))


def disagree(groups: Sequence[Sequence[float]]) -> bool:
    """Return whether any two scores of one group differ; each group holds one commit's scores of several seeds."""
    return any(not same(min(group), max(group)) for group in groups if len(group) > 1)


def repeats_exactly(groups: Sequence[Sequence[float]], expected_sigma: float) -> bool:
    """Return whether the scores of one commit (a group) are the same in all groups, and often enough to believe it.

    `expected_sigma` is the noise to assume of a metric that one knows nothing of, in score units.
    """
    repeated = [group for group in groups if len(group) > 1]
    agreeing = sum(len(group) - 1 for group in repeated)
    if agreeing < _AGREEING or disagree(repeated):
        return False
    if agreeing >= _AGREEING_COARSE:
        return True
    return step_of([score for group in groups for score in group]) <= _FINE * expected_sigma


def step_of(scores: Sequence[float]) -> float:
    """Return the distance of neighbouring values that a metric can take, as far as `scores` show it.

    That is the last decimal, or 1/n if all scores are fractions of a count n as exactly as they are written. What
    is written with few decimals may be such a fraction, and is taken for one.
    """
    values = list(dict.fromkeys(scores))[:_MOST_VALUES]
    decimals = max((_decimals(value) for value in values), default=0)
    last = 10.0**-decimals
    for count in range(1, min(10**decimals, _LARGEST_COUNT) + 1):
        if all(_is_fraction(value, count, last) for value in values):
            return max(1.0 / count, last)
    return last


def _decimals(value: float) -> int:
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _is_fraction(value: float, count: int, last: float) -> bool:
    off = abs(value * count - round(value * count))
    return off <= count * max(0.51 * last, 4e-16 * abs(value))
