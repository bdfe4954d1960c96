"""The few statistics that verdicts rest on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

from bot.rules.exactness import repeats_exactly


@dataclass(frozen=True)
class Noise:
    """Run-to-run standard deviation `sigma` (score units), known with `degrees` degrees of freedom.

    `runs` counts the replicated runs it was learned from; 0 where it is the prior alone.
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
