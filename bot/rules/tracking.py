"""The incumbent, tracked: its level and how uncertain that is, and the noise of one run. Pure.

A Kalman filter in one dimension. The level of the incumbent is learned from its own runs; the uncertainty grows with
each run that is made on the machine, for machines drift; a merge moves the level by what is likely true of its gain,
for winners are picked. Noise and drift are learned from how far the incumbent's runs lie from what was expected of
them (Mehra 1970; Harvey 1989, chapter 3), from replicates of candidates without their first, picked, run and from the
incumbents' short runs. Squares beyond 2.5 sigma are cut there (Huber 1964), so that one bad run does not make the
machine a noisy one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from operator import mul
from statistics import fmean, median
from typing import Literal

from bot.rules.campaign import Campaign
from bot.rules.events import RunFinished
from bot.rules.noise import prior_sigma
from bot.rules.statistics import repeats_exactly

SURPRISE = 3.0  # of its own deviation: a run of the incumbent beyond it means that the machine has changed
_PRIOR_DEGREES = 1.0  # of the noise assumed: three runs outweigh it
_DRIFTS = ((0.0, 0.2), (0.003, 0.2), (0.01, 0.3), (0.03, 0.15), (0.1, 0.1), (0.3, 0.04), (1.0, 0.01))
"""Variance that a run's time adds to the level, in sigma squared, and how likely it is before any run."""
_LEAST_DRIFT = 0.001
_PAUSE, _LONG = 10, 6 * 3600  # what a pause counts for, in runs, and from how many seconds on
_CUT = 2.5
_LEAST_UNIT = 1e-100  # score units: squares of less are none
_MOST_SURPRISE = 1e6
_TRIED, _ENOUGH_TRIED = 40, 8  # experiments whose first runs bound the noise, and how many it takes
_QUARTER, _SURE = (
    0.32,
    2.0,
)  # a quarter of normal values lie within 0.32 sigma; times what few of them leave open
_CUT_NORMAL = 0.957  # what remains of a normal variable's variance if its square is cut there
_SHRUNKEN = (0.6, 0.8, 0.85, 0.9)  # of a gain measured by 1, 2, ... runs: what is likely true of it
_SURELY = (4.0, 0.97)  # sigma from which on nearly all of it is
_HIDDEN = 2 / 3  # of a step between two values: noise that runs which agree can hide
_NEWEST = 300  # runs among which replicates are sought
_WALKED = 60  # incumbents


@dataclass(frozen=True)
class Track:
    """What is known of an incumbent on one scale.

    `level` and `sigma` are in score units, `variance` of the level in units of sigma squared, `drift` what a run's
    time adds to it. `degrees` weighs how well sigma is known. `controls`: the incumbent's own runs, unpicked, first to
    last. `exact`: the metric has no noise.
    """

    level: float
    variance: float
    sigma: float
    degrees: float
    drift: float
    controls: tuple[Control, ...]
    exact: bool = False
    drifts: tuple[tuple[float, float], ...] = ()
    """What the drift may be, and how likely each is."""


@dataclass(frozen=True)
class Control:
    """A run of an incumbent: its score, how many runs were recorded before it, and how many of its own deviations it
    lay from what was expected."""

    score: float
    place: int
    surprise: float = 0.0


@dataclass(frozen=True)
class _Seen:
    """What a walk meets: another incumbent of which nothing is known (`new`), one that was `merged` by the mean
    `score` of `runs` picked runs, or a `run` of an incumbent."""

    kind: Literal["new", "merged", "run"]
    score: float = 0.0
    place: int = 0
    elapsed: float = 0.0
    """Since what was met before, in runs."""
    runs: int = 1
    commit: str = ""


@dataclass
class _Walk:
    """A walk along the incumbents for one sigma (score units) and drift; `squares` are what it met, in score units."""

    sigma: float
    drift: float
    level: float | None = None
    variance: float = 0.0
    spread: float = 0.0
    squares: list[float] = field(default_factory=list)
    controls: list[tuple[str, Control]] = field(default_factory=list)

    def along(self, seen: Sequence[_Seen]) -> _Walk:
        """Walk, and return itself."""
        for each in seen:
            self._step(each)
        return self

    def _step(self, seen: _Seen) -> None:
        if seen.kind == "new":
            self.level = None
            return
        surprise = 0.0
        if self.level is None:
            self.level, self.variance = seen.score, 1 / seen.runs
        else:
            self.variance += self.drift * seen.elapsed
            if seen.kind == "merged":
                self.level += shrunken(abs(seen.score - self.level) / self.sigma, seen.runs) * (
                    seen.score - self.level
                )
                self.variance = 1 / seen.runs
            else:
                surprise = self._learn(seen.score - self.level)
        if seen.kind == "run":
            self.controls.append((seen.commit, Control(seen.score, seen.place, surprise)))

    def _learn(self, off: float) -> float:
        """Take in a run of the incumbent that lies `off` the level; return how surprising that is."""
        assert self.level is not None
        whole = self.variance + 1
        self.squares.append(off * off / whole)
        self.spread += math.log(whole)
        surprise = off / (self.sigma * math.sqrt(whole))
        surprise = min(max(surprise, -_MOST_SURPRISE), _MOST_SURPRISE)
        if abs(surprise) > SURPRISE:
            self.variance = max(
                self.variance, surprise**2
            )  # the machine is another one: what was known is old
        share = self.variance / (self.variance + 1)
        self.level += share * off
        self.variance *= 1 - share
        return surprise


def shrunken(distance: float, runs: int) -> float:
    """Return what part of a picked gain of `distance` sigma, measured by so many runs, is likely true."""
    least, most = _SURELY
    return most if distance > least else _SHRUNKEN[min(runs, len(_SHRUNKEN)) - 1]


def track(
    campaign: Campaign, commit: str, runner: str, fingerprint: str | None, prior: float | None = None
) -> Track | None:
    """Return what is known of an incumbent on one scale, kind of runner and fingerprint; None if it never ran there.

    `prior` is the noise to assume before replicates tell, in score units; None takes 0.1 % of the score.
    """
    seen = _in_order(list(_seen(campaign, commit, runner, fingerprint)))
    if not seen or seen[-1].kind == "new":
        return None
    newest = campaign.scored_runs.get((runner, fingerprint), [])[-_NEWEST:]
    groups = _groups(newest)
    unit = max(prior_sigma(campaign, prior, fingerprint), _LEAST_UNIT)
    if prior is None:
        unit = min(unit, _scatter(campaign, runner, fingerprint))
    exact = repeats_exactly(list(groups.values()), unit)
    ours = {each.commit for each in seen}
    repeats = [group[1:] for of, group in groups.items() if of not in ours]
    repeats += _short_repeats(campaign, dict.fromkeys(each.commit for each in seen), runner)
    walk, degrees, drifts = _fit(tuple(seen), tuple(s for group in repeats for s in _squares(group)), unit)
    controls = tuple(control for of, control in walk.controls if of == commit)
    if exact:
        return Track(seen[-1].score, 0.0, 0.0, float(len(newest)), 0.0, controls, exact=True)
    assert walk.level is not None
    sigma = max(walk.sigma, _HIDDEN * _gap([run.score for run in newest if run.score is not None]))
    return Track(walk.level, walk.variance, sigma, degrees, walk.drift, controls, drifts=drifts)


def _seen(campaign: Campaign, commit: str, runner: str, fingerprint: str | None) -> Iterator[_Seen]:
    """Yield what was measured of the incumbents up to `commit` on one scale."""
    chain = campaign.incumbents
    if commit in chain:
        chain = chain[: len(chain) - chain[::-1].index(commit)][-_WALKED:]
    else:
        chain = [commit]
    last = {of: place for place, of in enumerate(chain)}  # one that came back is met where it stands now
    before: RunFinished | None = None
    for of in (of for place, of in enumerate(chain) if last[of] == place):
        runs = [run for run in campaign.runs_of(of, runner=runner) if run.fingerprint == fingerprint]
        scored = [(run, run.score) for run in runs if run.score is not None]
        number = campaign.landed_as.get(of)
        if number is not None and campaign.experiments[number].reverts is not None:
            number = None  # nobody picked it by its score
        picked = [(run, score) for run, score in scored if number is not None and run.experiment == number]
        if not picked:
            yield _Seen("new")  # brought by a human, or won on another machine
        else:
            newest, place = picked[-1][0], campaign.run_places[picked[-1][0].run]
            mean = fmean(score for _, score in picked)
            yield _Seen("merged", mean, place, _elapsed(campaign, before, newest), len(picked), of)
            before = newest
        for run, score in scored:
            if number is None or run.experiment != number:
                elapsed = _elapsed(campaign, before, run)
                yield _Seen("run", score, campaign.run_places[run.run], elapsed, 1, of)
                before = run


def _in_order(seen: Sequence[_Seen]) -> list[_Seen]:
    """Return what was met without the runs of former incumbents that were made once they were none, such as those of
    the baseline beside the head."""
    kept: list[_Seen] = []
    next_one = math.inf
    for each in reversed(seen):
        if each.kind == "run" and each.place > next_one:
            continue
        if each.kind != "new":
            next_one = min(next_one, each.place)
        kept.append(each)
    return kept[::-1]


def _elapsed(campaign: Campaign, before: RunFinished | None, now: RunFinished) -> float:
    """Return the time between two runs, in runs made meanwhile; a pause counts for no more than `_PAUSE`."""
    if before is None:
        return 0.0
    made = max(campaign.run_places[now.run] - campaign.run_places[before.run], 0)
    times = campaign.run_times[before.run], campaign.run_times[now.run]
    if not all(times):
        return float(made)
    paused = datetime.fromisoformat(times[1]) - datetime.fromisoformat(times[0])
    return float(made + (_PAUSE if paused.total_seconds() > _LONG + made * now.seconds else 0))


@lru_cache(maxsize=8)
def _fit(
    seen: tuple[_Seen, ...], replicates: tuple[float, ...], unit: float
) -> tuple[_Walk, float, tuple[tuple[float, float], ...]]:
    """Return the walk with the noise and the drift that fit best, the degrees of freedom of its noise, and how likely
    each drift is. Asked for again and again between two runs."""

    def settled(sigma: float, drift: float) -> float:
        squares = _Walk(sigma, drift).along(seen).squares
        return _deviation([*squares, *replicates], sigma, unit)

    sigma = settled(settled(unit, 0.0), 0.0)
    walks = [_Walk(sigma, drift).along(seen) for drift, _ in _DRIFTS]
    logs = [_likelihood(walk, replicates, unit) for walk in walks]
    weights = [likely * math.exp(log - max(logs)) for log, (_, likely) in zip(logs, _DRIFTS, strict=True)]
    sizes = (math.log(max(drift, _LEAST_DRIFT)) for drift, _ in _DRIFTS)
    drift = math.exp(sum(map(mul, weights, sizes)) / sum(weights))
    walk = _Walk(settled(sigma, drift), drift).along(seen)
    likely = tuple((each, weight / sum(weights)) for (each, _), weight in zip(_DRIFTS, weights, strict=True))
    return walk, len(walk.squares) + len(replicates) + _PRIOR_DEGREES, likely


def _likelihood(walk: _Walk, replicates: Sequence[float], unit: float) -> float:
    """Return the logarithm of a walk's likelihood, whatever the noise is."""
    squares = [*walk.squares, *replicates]
    whole = sum(squares) + _PRIOR_DEGREES * unit**2
    return -0.5 * (walk.spread + (len(squares) + _PRIOR_DEGREES) * math.log(whole))


def _deviation(squares: Sequence[float], sigma: float, unit: float) -> float:
    """Return the noise by squares that each have its square for their mean, those cut that lie far out."""
    most = (_CUT * max(sigma, math.sqrt(median(squares)) if squares else unit)) ** 2
    whole = sum(min(each, most) for each in squares) / _CUT_NORMAL
    return math.sqrt((whole + _PRIOR_DEGREES * unit**2) / (len(squares) + _PRIOR_DEGREES))


def _squares(scores: Sequence[float]) -> Iterator[float]:
    """Yield the square of each score's distance from those before it, of which the noise's square is the mean."""
    for count in range(1, len(scores)):
        yield (scores[count] - fmean(scores[:count])) ** 2 * count / (count + 1)


def _scatter(campaign: Campaign, runner: str, fingerprint: str | None) -> float:
    """Return a noise that is surely not exceeded, by how near candidates' first runs came to their incumbents: noise
    and effects together scatter them. In score units; infinite while there are few."""
    near: list[float] = []
    for number in campaign.order[-_TRIED:]:
        experiment = campaign.experiments[number]
        decision, commit = experiment.decision, experiment.commit
        if decision is None or not decision.effect or decision.candidate_runs != 1 or commit is None:
            continue
        if campaign.scale_of(commit) == (runner, fingerprint):
            near.append(abs(decision.effect))
    if len(near) < _ENOUGH_TRIED:
        return math.inf
    return _SURE * sorted(near)[len(near) // 4] / _QUARTER


def _groups(runs: Sequence[RunFinished]) -> dict[str, list[float]]:
    """Return the scores of each commit, one for each seed: a second one may repeat the first and tell nothing."""
    groups: dict[str, dict[int, float]] = {}
    for run in runs:
        assert run.score is not None
        groups.setdefault(run.commit, {}).setdefault(run.seed, run.score)
    return {commit: list(scores.values()) for commit, scores in groups.items()}


def _short_repeats(campaign: Campaign, commits: Iterable[str], runner: str) -> list[list[float]]:
    """Return the scores of incumbents' short runs by share and fingerprint, without those by which they were picked:
    from a noise that shorter runs don't make larger, each of its repeats tells of it too."""
    found: dict[tuple[str, float, str | None], dict[int, float]] = {}
    for commit in commits:
        for run in campaign.tries_of(commit, runner=runner):
            if not run.is_full and run.experiment is None and run.score is not None:
                found.setdefault((commit, run.share, run.fingerprint), {}).setdefault(run.seed, run.score)
    return [list(scores.values()) for scores in found.values()]


def _gap(scores: Sequence[float]) -> float:
    """Return the smallest difference of two scores if others are equal, 0 if none are: a metric of few values
    hides noise that is smaller."""
    gaps = [after - before for before, after in pairwise(sorted(scores))]
    return min((gap for gap in gaps if gap > 0), default=0.0) if 0.0 in gaps else 0.0
