"""How a candidate differs from its incumbent, given that runs vary by chance, with their seed, and with time.

The same seed may be a hard one for every commit, and a machine may become slower or quicker while it measures. So
several models of how runs vary are fitted to the replicates at hand, and those that the replicates do not speak
against each give their comparison. With neither seed nor drift that is the difference of two means; if the seed
matters, runs of the same seed are compared; if the machine drifts, runs near in time.

The models are linear: score = level of the commit + effect of the seed + a random walk in time + noise, fitted by
generalised least squares and weighed by their restricted likelihood (Patterson & Thompson 1971; Harville 1977).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import mul
from statistics import fmean, median

from bot.rules.statistics import Comparison, repeats_exactly, t_quantile

WINDOW = 20  # runs of earlier replicates that count, the newest
_OWN = 12  # runs of the incumbent that are compared, the newest
_LONGEST_GAP = 10.0  # of the usual time between two runs: a night's pause is no hundred steps of a walk
_PLAUSIBLE = 0.1  # of the best model's weight
_SEED = ((0.0, 0.6), (4.0, 0.2), (30.0, 0.2))  # variance beside the noise's, and how likely before any run
_DRIFT = ((0.0, 0.86), (1.0, 0.07), (30.0, 0.07))  # variance of a step of the walk, and the same
_HIDDEN = 2 / 3  # of a step between two values: noise that runs which agree can hide
_LEAST_SQUARES = (
    1e-6  # of the expected noise's square: scores that repeat don't make a model infinitely likely
)

Vector = list[float]
Matrix = list[list[float]]


@dataclass(frozen=True)
class Scored:
    """A run that finished: its score, its seed, and when it ended, in seconds from anywhere."""

    score: float
    seed: int
    at: float


@dataclass(frozen=True)
class Known:
    """What is known of how runs vary: replicates of other commits on the same scale and kind of machine, and the noise
    to expect (score units), which weighs as much as `prior_degrees` replicates."""

    groups: tuple[tuple[Scored, ...], ...]
    prior_sigma: float
    prior_degrees: float


@dataclass(frozen=True)
class Reading:
    """A comparison under one model of how runs vary.

    `seed` and `drift` are the variances of a seed and of a step in time, in units of the noise's variance. `beside`
    is the effect as measured against those runs of the incumbent alone that are no older than the candidate's: given of
    the likeliest model only, None before there is any. `exact`: the metric has no noise.
    """

    comparison: Comparison
    seed: float = 0.0
    drift: float = 0.0
    beside: float | None = None
    exact: bool = False


def readings(
    candidate: Sequence[Scored], incumbent: Sequence[Scored], known: Known, *, confidence: float
) -> list[Reading]:
    """Return the comparison of candidate and incumbent under each plausible model, the likeliest first.

    `confidence` is one-sided (0.95). Both sides need a run.
    """
    groups = [list(candidate), list(incumbent), *map(list, known.groups)]
    if repeats_exactly([[run.score for run in one_per_seed(group)] for group in groups], known.prior_sigma):
        return [_exact(candidate, incumbent)]
    data = _Data.of(candidate, incumbent[-_OWN:], known)
    fits = [
        (data.fit(seed, drift), math.log(likely * smooth), seed, drift)
        for seed, likely in _SEED
        for drift, smooth in _DRIFT
    ]
    best = max(fit.likelihood + prior for fit, prior, _, _ in fits)
    kept = [each for each in fits if each[0].likelihood + each[1] >= best + math.log(_PLAUSIBLE)]
    kept.sort(key=lambda each: -(each[0].likelihood + each[1]))
    found = [data.reading(fit, seed, drift, confidence) for fit, _, seed, drift in kept]
    return [replace(found[0], beside=data.beside(found[0].seed, found[0].drift)), *found[1:]]


def one_per_seed(runs: Sequence[Scored]) -> list[Scored]:
    """Return the first run of each seed: a second one may repeat it exactly and tell nothing of the noise."""
    return list({run.seed: run for run in reversed(runs)}.values())


def _exact(candidate: Sequence[Scored], incumbent: Sequence[Scored]) -> Reading:
    mine, theirs = candidate[0].score, incumbent[0].score
    result = Comparison(mine - theirs, 0.0, mine, theirs, len(candidate), len(incumbent), 0.0)
    return Reading(result, beside=result.effect, exact=True)


@dataclass(frozen=True)
class _Fit:
    """A model that was fitted: `root` is the Cholesky factor of the information on the levels, `pull` what it is
    multiplied with. All in units of the expected noise."""

    likelihood: float
    squares: float
    root: Matrix
    pull: Vector

    def contrast(self, weights: Vector) -> tuple[float, float]:
        """Return the value of a combination of levels, and its variance for a noise of one."""
        half = _forward(self.root, weights)
        return _dot(half, _forward(self.root, self.pull)), _dot(half, half)


@dataclass(frozen=True)
class _Data:
    """All runs in the order of time. Level 0 is the candidate's, 1 the incumbent's."""

    candidate: Sequence[Scored]
    incumbent: Sequence[Scored]
    known: Known
    runs: list[tuple[Scored, int]]
    times: Vector
    scores: Vector
    step: float

    @classmethod
    def of(cls, candidate: Sequence[Scored], incumbent: Sequence[Scored], known: Known) -> _Data:
        runs = [(run, 0) for run in candidate] + [(run, 1) for run in incumbent]
        newest = sorted((g for g in known.groups if len(g) > 1), key=lambda group: -group[-1].at)
        room, level = WINDOW, 2
        for group in newest:
            if room < 2:
                break
            runs += [(run, level) for run in group[-room:]]
            room, level = room - len(group[-room:]), level + 1
        runs.sort(key=lambda each: each[0].at)
        gaps = [later[0].at - sooner[0].at for sooner, later in pairwise(runs)]
        usual = median([gap for gap in gaps if gap > 0] or [1.0])
        times = [0.0]
        for gap in gaps:
            times.append(times[-1] + min(max(gap, 0.0) / usual, _LONGEST_GAP))
        middle = median(run.score for run, _ in runs)
        scores = [(run.score - middle) / known.prior_sigma for run, _ in runs]
        return cls(candidate, incumbent, known, runs, times, scores, _step(runs) / known.prior_sigma)

    def fit(self, seed: float, drift: float, levels: Sequence[int] | None = None) -> _Fit:
        """Fit the model with these variances; `levels` names each run's, if the usual ones are not meant."""
        of = levels if levels is not None else [level for _, level in self.runs]
        count, seeds = max(of) + 1, [run.seed for run, _ in self.runs]
        cover = [
            [seed * (seeds[i] == seeds[j]) + drift * self.times[j] + (i == j) for j in range(i + 1)]
            for i in range(len(of))
        ]  # the walk's part of two runs is how far it had come at the earlier one
        root = _cholesky(cover)
        y = _forward(root, self.scores)
        columns = [_forward(root, [1.0 if own == level else 0.0 for own in of]) for level in range(count)]
        information = _cholesky([[_dot(columns[i], columns[j]) for j in range(i + 1)] for i in range(count)])
        pull = [_dot(column, y) for column in columns]
        half = _forward(information, pull)
        squares = max(_dot(y, y) - _dot(half, half), 0.0)
        spread = sum(math.log(root[i][i]) for i in range(len(of)))
        spread += sum(math.log(information[i][i]) for i in range(count))
        free = len(of) - count
        return _Fit(-spread - 0.5 * free * math.log(squares + _LEAST_SQUARES), squares, information, pull)

    def reading(self, fit: _Fit, seed: float, drift: float, confidence: float) -> Reading:
        """Return what a fitted model says of candidate and incumbent."""
        levels = len(fit.pull)
        degrees = len(self.runs) - levels + self.known.prior_degrees
        sigma = math.sqrt((fit.squares + self.known.prior_degrees) / degrees)
        sigma = max(sigma, _HIDDEN * self.step)
        effect, variance = fit.contrast([1.0, -1.0, *[0.0] * (levels - 2)])
        unit = self.known.prior_sigma
        error = unit * sigma * math.sqrt(variance)
        mine = fmean(run.score for run in self.candidate)
        result = Comparison(
            effect=unit * effect,
            half_width=t_quantile(confidence, degrees) * error,
            candidate=mine,
            incumbent=mine - unit * effect,
            candidate_runs=len(self.candidate),
            incumbent_runs=len(self.incumbent),
            sigma=error / math.sqrt(1 / len(self.candidate) + 1 / len(self.incumbent)),
        )
        return Reading(result, seed, drift)

    def beside(self, seed: float, drift: float) -> float | None:
        """Return the effect if the incumbent's older runs are taken for another commit's."""
        first = self.candidate[0].at
        if all(run.at <= first for run in self.incumbent):
            return None
        levels = [level for _, level in self.runs]
        if any(run.at <= first for run in self.incumbent):
            older = max(levels) + 1
            levels = [older if level == 1 and run.at <= first else level for run, level in self.runs]
        fit = self.fit(seed, drift, levels)
        return self.known.prior_sigma * fit.contrast([1.0, -1.0, *[0.0] * (len(fit.pull) - 2)])[0]


def _step(runs: Sequence[tuple[Scored, int]]) -> float:
    """Return the smallest difference of two scores if others are equal, 0 if none are: a metric of few values
    hides noise that is smaller."""
    values = sorted(run.score for run, _ in runs)
    gaps = [b - a for a, b in pairwise(values)]
    return min((gap for gap in gaps if gap > 0), default=0.0) if 0.0 in gaps else 0.0


def _dot(one: Vector, other: Vector) -> float:
    """Return the sum of products, as far as the shorter one goes."""
    return float(sum(map(mul, one, other)))


def _cholesky(lower: Matrix) -> Matrix:
    """Return the Cholesky factor of a positive definite matrix, of which the lower triangle is given."""
    root: Matrix = []
    for i, row in enumerate(lower):
        new: Vector = []
        for j in range(i):
            new.append((row[j] - _dot(new, root[j])) / root[j][j])
        new.append(math.sqrt(max(row[i] - _dot(new, new), 1e-12)))
        root.append(new)
    return root


def _forward(root: Matrix, values: Vector) -> Vector:
    """Solve `root` x = `values` for x."""
    solved: Vector = []
    for row, value in zip(root, values, strict=True):
        solved.append((value - _dot(solved, row)) / row[-1])
    return solved
