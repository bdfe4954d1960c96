"""How runs vary, as the rule of version 0 saw it, frozen to compare with: a copy of its `bot/rules/variation.py`, in
numpy, for runs on one machine. What it says agrees with the original to nine digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, median

import numpy as np

from bot.rules.statistics import Comparison, repeats_exactly, t_quantile
from tests.benchmarks.truth.effects import Numbers

PRIOR_DEGREES = 3.0
_WINDOW = 20
_OWN = 12
_LONGEST_GAP = 10.0
_PLAUSIBLE = 0.1
_SEED = ((0.0, 0.6), (4.0, 0.2), (30.0, 0.2))
_DRIFT = ((0.0, 0.86), (1.0, 0.07), (30.0, 0.07))
_HIDDEN = 2 / 3
_LEAST_SQUARES = 1e-6


@dataclass(frozen=True)
class Run:
    """A run that finished: its score, its seed, and when it ended."""

    score: float
    seed: int
    at: float


@dataclass(frozen=True)
class Reading:
    """A comparison under one model of how runs vary; `beside` against the incumbent's runs that are no older."""

    comparison: Comparison
    seed: float = 0.0
    drift: float = 0.0
    beside: float | None = None
    exact: bool = False


@dataclass(frozen=True)
class _Fit:
    likelihood: float
    squares: float
    information: Numbers
    pull: Numbers

    def contrast(self, weights: Sequence[float]) -> tuple[float, float]:
        """Return the value of a combination of levels, and its variance for a noise of one."""
        solved = np.linalg.solve(self.information, np.array([*weights]))
        return float(solved @ self.pull), float(solved @ np.array([*weights]))


@dataclass(frozen=True)
class _Data:
    candidate: Sequence[Run]
    incumbent: Sequence[Run]
    prior: float
    runs: list[tuple[Run, int]]
    times: Numbers
    scores: Numbers
    step: float

    @classmethod
    def of(
        cls, candidate: Sequence[Run], incumbent: Sequence[Run], groups: Sequence[Sequence[Run]], prior: float
    ) -> _Data:
        runs = [(run, 0) for run in candidate] + [(run, 1) for run in incumbent]
        room, level = _WINDOW, 2
        for group in sorted((g for g in groups if len(g) > 1), key=lambda group: -group[-1].at):
            if room < 2:
                break
            runs += [(run, level) for run in group[-room:]]
            room, level = room - len(group[-room:]), level + 1
        runs.sort(key=lambda each: each[0].at)
        gaps = [later[0].at - sooner[0].at for sooner, later in pairwise(runs)]
        usual = median([gap for gap in gaps if gap > 0] or [1.0])
        times = np.cumsum([0.0, *(min(max(gap, 0.0) / usual, _LONGEST_GAP) for gap in gaps)])
        middle = median(run.score for run, _ in runs)
        scores = np.array([(run.score - middle) / prior for run, _ in runs])
        return cls(candidate, incumbent, prior, runs, times, scores, _step(runs) / prior)

    def fit(self, seed: float, drift: float, levels: Sequence[int] | None = None) -> _Fit:
        of = np.array(levels if levels is not None else [level for _, level in self.runs])
        seeds = np.array([run.seed for run, _ in self.runs])
        cover = (
            seed * (seeds[:, None] == seeds)
            + drift * np.minimum.outer(self.times, self.times)
            + np.eye(len(of))
        )
        design = (of[:, None] == np.arange(of.max() + 1)).astype(float)
        root = np.linalg.cholesky(cover)
        solved = np.linalg.solve(root, np.column_stack([self.scores, design]))
        y, columns = solved[:, 0], solved[:, 1:]
        information = columns.T @ columns
        pull = columns.T @ y
        squares = max(float(y @ y - pull @ np.linalg.solve(information, pull)), 0.0)
        spread = float(np.log(np.diag(root)).sum()) + 0.5 * float(np.linalg.slogdet(information)[1])
        free = len(of) - len(pull)
        return _Fit(-spread - 0.5 * free * math.log(squares + _LEAST_SQUARES), squares, information, pull)

    def reading(self, fit: _Fit, seed: float, drift: float, confidence: float) -> Reading:
        levels = len(fit.pull)
        degrees = len(self.runs) - levels + PRIOR_DEGREES
        sigma = max(math.sqrt((fit.squares + PRIOR_DEGREES) / degrees), _HIDDEN * self.step)
        effect, variance = fit.contrast([1.0, -1.0, *[0.0] * (levels - 2)])
        error = self.prior * sigma * math.sqrt(variance)
        mine = fmean(run.score for run in self.candidate)
        result = Comparison(
            effect=self.prior * effect,
            half_width=t_quantile(confidence, degrees) * error,
            candidate=mine,
            incumbent=mine - self.prior * effect,
            candidate_runs=len(self.candidate),
            incumbent_runs=len(self.incumbent),
            sigma=error / math.sqrt(1 / len(self.candidate) + 1 / len(self.incumbent)),
        )
        return Reading(result, seed, drift)

    def beside(self, seed: float, drift: float) -> float | None:
        first = self.candidate[0].at
        if all(run.at <= first for run in self.incumbent):
            return None
        levels = [level for _, level in self.runs]
        if any(run.at <= first for run in self.incumbent):
            older = max(levels) + 1
            levels = [older if level == 1 and run.at <= first else level for run, level in self.runs]
        fit = self.fit(seed, drift, levels)
        return self.prior * fit.contrast([1.0, -1.0, *[0.0] * (len(fit.pull) - 2)])[0]


def readings(
    candidate: Sequence[Run],
    incumbent: Sequence[Run],
    groups: Sequence[Sequence[Run]],
    prior: float,
    confidence: float,
) -> list[Reading]:
    """Return the comparison under each plausible model, the likeliest first; `groups` are other commits' runs."""
    every = [candidate, incumbent, *groups]
    if repeats_exactly([[run.score for run in _one_per_seed(group)] for group in every], prior):
        return [_exact(candidate, incumbent)]
    data = _Data.of(candidate, incumbent[-_OWN:], groups, prior)
    fits = [
        (data.fit(seed, drift), math.log(likely * smooth), seed, drift)
        for seed, likely in _SEED
        for drift, smooth in _DRIFT
    ]
    best = max(fit.likelihood + known for fit, known, _, _ in fits)
    kept = [each for each in fits if each[0].likelihood + each[1] >= best + math.log(_PLAUSIBLE)]
    kept.sort(key=lambda each: -(each[0].likelihood + each[1]))
    found = [data.reading(fit, seed, drift, confidence) for fit, _, seed, drift in kept]
    return [replace(found[0], beside=data.beside(found[0].seed, found[0].drift)), *found[1:]]


def _one_per_seed(runs: Sequence[Run]) -> list[Run]:
    return list({run.seed: run for run in reversed(runs)}.values())


def _exact(candidate: Sequence[Run], incumbent: Sequence[Run]) -> Reading:
    mine, theirs = candidate[0].score, incumbent[0].score
    result = Comparison(mine - theirs, 0.0, mine, theirs, len(candidate), len(incumbent), 0.0)
    return Reading(result, beside=result.effect, exact=True)


def _step(runs: Sequence[tuple[Run, int]]) -> float:
    values = sorted(run.score for run, _ in runs)
    gaps = [b - a for a, b in pairwise(values)]
    return min((gap for gap in gaps if gap > 0), default=0.0) if 0.0 in gaps else 0.0
