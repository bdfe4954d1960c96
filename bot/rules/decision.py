"""The rule that turns scores into a verdict. Pure, and the only place to exchange it.

One run is one draw. The rule looks after each run of a candidate and counts, in units of the noise (sigma), how far its
mean is better than the tracked incumbent (`bot.rules.tracking`). What stands far away merges after one run, what
stands nearer needs more runs to stay there, and what falls below about one sigma is given up: most candidates are
worse, and the device is better spent on the next idea. The thresholds of all looks belong together and are chosen by
simulation, near the tables of optimal stopping with a run's price as the cost of a look (Chick & Frazier 2012), so that
the error rates below hold for all looks together. Nothing is merged that was only compared with older runs of the
incumbent: the machine may have changed since.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from bot.rules.aims import Aim
from bot.rules.events import Direction, ExperimentDecided, Verdict
from bot.rules.experiment import Experiment
from bot.rules.short_control import WHOLE, Control
from bot.rules.statistics import EACH_END, ROUNDING, Comparison, t_quantile
from bot.rules.tracking import SURPRISE, Track

REPEATS = "the metric repeats exactly"
CONFIDENCE = EACH_END  # one-sided: of the interval that a verdict states
SIMPLER_LOSS = 0.5  # sigma: what all simplifications of one promotion together may cost, at that confidence
UNCERTAIN = 0.75  # sigma squared: a level that is less certain is measured before the next candidate
_UNKNOWN = 1.5  # the same, before a candidate that has run is judged
_FRESH = 3  # runs of the incumbent beside a candidate: if they agree no better, no more are made
_LEAST_DEGREES = 2.0  # of freedom: how far a sigma that few runs tell is widened


@dataclass(frozen=True)
class Thresholds:
    """Sigma after 1, 2, ... runs from which a candidate merges, and below which it is given up."""

    accept: tuple[float, ...]
    give_up: tuple[float, ...]


THRESHOLDS: dict[Aim, Thresholds] = {
    "careful": Thresholds((5.0, 3.0, 2.4, 2.1, 1.9), (1.1, 1.2, 1.3, 1.4, 1.9)),
    "balanced": Thresholds((3.5, 1.9, 1.6, 1.4), (1.0, 1.0, 1.1, 1.4)),
    "fast": Thresholds((2.5, 1.6, 1.3, 1.1), (0.8, 0.8, 0.9, 1.1)),
}
NULL_MERGES: dict[Aim, float] = {"careful": 0.003, "balanced": 0.025, "fast": 0.05}
"""Of candidates that change nothing, at most so many merge, over all looks (`tests/bot/test_decision.py`): for a level
with a third of a run's variance."""


@dataclass(frozen=True)
class Rule:
    """How sure a verdict must be. `min_effect` is in score units; at least `min_runs` runs come before a merge, and
    after `max_runs` a candidate is given up.

    `control`: an improvement needs a run of the incumbent that is younger than the candidate's first.
    """

    aim: Aim = "balanced"
    min_effect: float = 0.0
    min_runs: int = 1
    max_runs: int = 5
    control: bool = True

    def accept(self, runs: int) -> float:
        """Return how many sigma a candidate must stand away after so many runs."""
        return _of(THRESHOLDS[self.aim].accept, runs)

    def give_up(self, runs: int) -> float:
        """Return below how many sigma a candidate is given up after so many runs."""
        return _of(THRESHOLDS[self.aim].give_up, runs)


def _of(thresholds: Sequence[float], runs: int) -> float:
    return thresholds[min(runs, len(thresholds)) - 1]


@dataclass(frozen=True)
class NeedRun:
    """No verdict yet: measure the candidate or its incumbent once more."""

    of: Literal["candidate", "incumbent"]
    why: str
    share: float = 1.0
    """Share of the budget that the run gets."""


@dataclass(frozen=True)
class Decided:
    """A verdict and the comparison it rests on."""

    verdict: Verdict
    reason: str
    comparison: Comparison


@dataclass(frozen=True)
class Measured:
    """A run of a candidate: its score, and how many runs were recorded before it."""

    score: float
    place: int


def decide(
    candidate: Sequence[Measured],
    incumbent: Track | None,
    *,
    direction: Direction,
    rule: Rule,
    net_lines: int = 0,
    budget: float = SIMPLER_LOSS,
    control: Control = WHOLE,
) -> NeedRun | Decided:
    """Say what the scores so far allow: a verdict, or which run is needed next.

    `candidate` are runs that finished, first to last; `net_lines` is lines added minus lines removed. Simpler at an
    equal score is an improvement, and equal means: worse by no more than what is left of the `budget` (in sigma).
    `control` is what short runs of the incumbent tell of the machine.
    """
    if incumbent is None:
        return NeedRun("incumbent", "it needs its first run here")
    if not candidate:
        return NeedRun("candidate", "the candidate has not run yet")
    if incumbent.variance > _UNKNOWN:
        return NeedRun("incumbent", "its level is too uncertain to compare with")
    view = _View.of(candidate, incumbent, direction, control)
    if incumbent.exact:
        return _exactly(view, rule, net_lines)
    return _with_noise(view, rule, net_lines, budget)


def compared(candidate: Sequence[Measured], incumbent: Track) -> Comparison:
    """Compare a candidate's mean with the level of its incumbent."""
    mean, runs = fmean(run.score for run in candidate), len(candidate)
    error = incumbent.sigma * math.sqrt(1 / runs + incumbent.variance)
    return Comparison(
        effect=mean - incumbent.level,
        half_width=t_quantile(CONFIDENCE, max(incumbent.degrees, _LEAST_DEGREES)) * error,
        candidate=mean,
        incumbent=incumbent.level,
        candidate_runs=runs,
        incumbent_runs=max(len(incumbent.controls), 1),
        sigma=incumbent.sigma,
    )


@dataclass(frozen=True)
class _View:
    """A candidate beside its incumbent. `gain` is positive if it is better, whatever the direction; `distance` is the
    gain in sigma, `error` its standard error in sigma, and `fresh` the incumbent's runs since the candidate's first."""

    track: Track
    comparison: Comparison
    runs: int
    gain: float
    distance: float
    error: float
    fresh: int
    surprise: float
    rounding: float
    control: Control

    @classmethod
    def of(
        cls, candidate: Sequence[Measured], incumbent: Track, direction: Direction, control: Control
    ) -> _View:
        sign = -1.0 if direction == "minimize" else 1.0
        runs, mean = len(candidate), fmean(run.score for run in candidate)
        error = math.sqrt(1 / runs + incumbent.variance)
        sigma = incumbent.sigma * math.sqrt(1 + _LEAST_DEGREES / max(incumbent.degrees, 1.0))
        fresh = [run for run in incumbent.controls if run.place > candidate[0].place]
        effect = mean - incumbent.level
        return cls(
            track=incumbent,
            comparison=compared(candidate, incumbent),
            runs=runs,
            gain=sign * effect,
            distance=sign * effect / sigma if sigma else 0.0,
            error=error,
            fresh=len(fresh),
            surprise=max((abs(run.surprise) for run in fresh), default=0.0),
            rounding=ROUNDING * max(abs(mean), abs(incumbent.level)),
            control=control,
        )


def _exactly(view: _View, rule: Rule, net_lines: int) -> NeedRun | Decided:
    """Judge by a metric without noise."""
    better = view.gain > max(rule.min_effect, view.rounding)
    simpler = net_lines < 0 and abs(view.gain) <= view.rounding
    if not (better or simpler):
        little = view.gain > view.rounding
        said = f"better, but by less than {rule.min_effect:g}" if little else "no better than the incumbent"
        return Decided("discarded", f"{said}: {REPEATS}", view.comparison)
    if (need := _missing(view, rule)) is not None:
        return need
    said = f"better, and {REPEATS}" if better else f"{-net_lines} lines fewer at an equal score"
    return Decided("improved", said, view.comparison)


def _with_noise(view: _View, rule: Rule, net_lines: int, budget: float) -> NeedRun | Decided:
    """Judge by distances in sigma."""
    runs, distance = view.runs, view.distance
    enough = view.gain >= max(rule.min_effect, view.rounding)
    loss = max(0.0, t_quantile(CONFIDENCE, max(view.track.degrees, _LEAST_DEGREES)) * view.error - distance)
    simpler = net_lines < 0 and loss <= budget
    if (enough and distance >= rule.accept(runs)) or simpler:
        need = _missing(view, rule)
        if need is not None:
            return need
        if rule.control and view.track.variance > UNCERTAIN:
            said = f"no two of the incumbent's runs beside it agree, so nothing can be compared{_note(view)}"
            return Decided("inconclusive", said, view.comparison)
        if simpler and not (enough and distance >= rule.accept(runs)):
            said = f"{-net_lines} lines fewer at an equal score: worse by no more than {loss:.1f} sigma"
        else:
            said = f"better by {distance:.1f} sigma after {_times(runs)}; {rule.accept(runs):g} are enough"
        return Decided("improved", said + _note(view), view.comparison)
    hopeful = net_lines < 0 and distance > 0 and budget >= SIMPLER_LOSS / 2
    last = runs >= min(rule.max_runs, len(THRESHOLDS[rule.aim].accept))
    if distance >= rule.give_up(runs) and not last:
        return NeedRun("candidate", f"better by {distance:.1f} sigma: a replicate is due")
    if hopeful and not last:
        return NeedRun("candidate", "shorter, and no worse so far: a replicate is due")
    if distance <= 0:
        return Decided("discarded", "no better than the incumbent" + _note(view), view.comparison)
    said = f"within the noise after {_times(runs)}: better by {distance:.1f} sigma, {_asked(view, rule)}"
    return Decided("inconclusive", said + _note(view), view.comparison)


def _asked(view: _View, rule: Rule) -> str:
    """Return what it would have taken instead."""
    if view.distance >= rule.accept(view.runs):
        return f"but by less than {rule.min_effect:g}"
    if view.distance < rule.give_up(view.runs):
        return f"and {rule.give_up(view.runs):g} are needed to go on"
    return f"and {rule.accept(view.runs):g} are needed"


def _missing(view: _View, rule: Rule) -> NeedRun | None:
    """Return the run that must still be made before a merge; None if there is none."""
    if view.runs < rule.min_runs:
        return NeedRun("candidate", "looks better: a replicate is due")
    if not rule.control:
        return None
    if not view.fresh and not view.control.steady:
        said = "once more after its challenger: the machine may have changed"
        return NeedRun("incumbent", said, view.control.share)
    if view.track.variance > UNCERTAIN and view.fresh < _FRESH:
        return NeedRun("incumbent", "once more: it is not where it was, so the machine has changed")
    return None


def _times(runs: int) -> str:
    return f"{runs} run{'' if runs == 1 else 's'}"


def _note(view: _View) -> str:
    """Return what is to be known of the machine, to follow a reason."""
    if view.surprise > SURPRISE:
        return (
            f" (the machine drifts: the incumbent was {view.surprise:.1f} sigma from where it was expected)"
        )
    return ""


def decision_of(
    experiment: Experiment, verdict: Verdict, *, reason: str, lesson: str, land: bool = False,
    comparison: Comparison | None = None, defence: str = "",
) -> ExperimentDecided:  # fmt: skip
    """Return a verdict on an experiment's round as it is written down."""
    effect = half_width = sigma = score = against = None
    runs = (0, 0)
    if comparison is not None:
        effect, half_width, sigma = comparison.effect, comparison.half_width, comparison.sigma
        score, against = comparison.candidate, comparison.incumbent
        runs = comparison.candidate_runs, comparison.incumbent_runs
    return ExperimentDecided(
        experiment.number, experiment.round, verdict, land, effect, half_width, sigma, score, against, *runs,
        reason, lesson, defence,
    )  # fmt: skip
