"""The rule that turns scores into a verdict. Pure, and the only place to exchange it.

One run is one draw. A candidate that looks better after its first run earns replicates, its incumbent is measured
beside it, and the verdict says how sure it is. A run that looks worse ends the experiment at once: most candidates
are worse, and the GPU is better spent on the next idea. Nothing is merged that was only compared with older runs of
the incumbent: the machine may have changed since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bot.rules.events import Direction, ExperimentDecided, Verdict
from bot.rules.experiment import Experiment
from bot.rules.statistics import ROUNDING, Comparison, disagree
from bot.rules.variation import Known, Reading, Scored, readings

REPEATS = "the metric repeats exactly"
_BESIDE = 2 / 3  # of the gain: what the incumbent's runs beside the candidate's must confirm


@dataclass(frozen=True)
class Rule:
    """How sure a verdict must be. `min_effect` is in score units; `confidence` is one-sided.

    `control`: an improvement needs a run of the incumbent that is younger than the candidate's.
    """

    confidence: float = 0.95
    min_effect: float = 0.0
    min_runs: int = 2
    max_runs: int = 4
    control: bool = True


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
class _View:
    """A reading of the runs with its gain: positive is better, whatever the direction."""

    reading: Reading
    gain: float
    bound: float
    beside: float | None
    rounding: float

    @classmethod
    def of(cls, reading: Reading, sign: float) -> _View:
        result = reading.comparison
        return cls(
            reading,
            gain=sign * result.effect,
            bound=sign * result.effect - result.half_width,
            beside=None if reading.beside is None else sign * reading.beside,
            rounding=ROUNDING * max(abs(result.candidate), abs(result.incumbent)),
        )

    def is_better(self, rule: Rule) -> bool:
        return self.bound > max(rule.min_effect, self.rounding)

    def is_equal(self) -> bool:
        """Whether it is surely not worse by one sigma."""
        return self.bound > -(self.reading.comparison.sigma + 2 * self.rounding)

    def is_worse(self, simpler: bool) -> bool:
        return self.gain <= (-self.reading.comparison.sigma - self.rounding if simpler else self.rounding)


def decide(
    candidate: Sequence[Scored],
    incumbent: Sequence[Scored],
    known: Known,
    *,
    direction: Direction,
    rule: Rule,
    net_lines: int = 0,
) -> NeedRun | Decided:
    """Say what the scores so far allow: a verdict, or which run is needed next.

    `candidate` and `incumbent` are runs that finished, first to last; `known` is what other commits tell of how runs
    vary; `net_lines` is lines added minus lines removed. Simpler at an equal score is an improvement, and equal
    means: not worse by one sigma.
    """
    if len(incumbent) < rule.min_runs:
        return NeedRun("incumbent", f"the incumbent needs {rule.min_runs} runs, it has {len(incumbent)}")
    if not candidate:
        return NeedRun("candidate", "the candidate has not run yet")
    sign = -1.0 if direction == "minimize" else 1.0
    found = readings(candidate, incumbent, known, confidence=rule.confidence)
    views = [_View.of(reading, sign) for reading in found]
    likely, simpler = views[0], net_lines < 0
    beside = sum(run.at > candidate[0].at for run in incumbent)
    if len(candidate) >= rule.min_runs:
        better = all(view.is_better(rule) for view in views)
        if better or (simpler and all(view.is_equal() for view in views)):
            if rule.control and incumbent[-1].at <= candidate[-1].at:
                return NeedRun("incumbent", "once more after its challenger: the machine may have changed")
            if not rule.control or _confirmed_beside(likely, better):
                least = min(views, key=lambda view: view.bound)
                return Decided(
                    "improved", _why_improved(likely, better, net_lines, rule), least.reading.comparison
                )
        if (
            beside >= rule.min_runs
            and likely.beside is not None
            and likely.beside <= likely.rounding
            and not simpler
        ):
            said = "no better than the incumbent's runs beside it"
            return Decided("discarded", said + _note(likely), likely.reading.comparison)
    if all(view.is_worse(simpler) for view in views):
        said = "no better than the incumbent" + (f": {REPEATS}" if likely.reading.exact else "")
        return Decided("discarded", said + _note(likely), likely.reading.comparison)
    if len(candidate) >= rule.max_runs:
        said = _why_inconclusive(views, rule, len(candidate))
        return Decided("inconclusive", said + _note(likely), likely.reading.comparison)
    enough = len(candidate) >= rule.min_runs
    if enough and not simpler and not _may_repeat(candidate, incumbent, known) and _hopeless(likely, rule):
        said = "too small an effect to tell from noise within the runs left"
        return Decided("inconclusive", said + _note(likely), likely.reading.comparison)
    drifting = any(view.reading.drift for view in views)
    if len(incumbent) < len(candidate) or (drifting and beside < len(candidate) - 1):
        return NeedRun("incumbent", "measured beside its challenger")
    return NeedRun("candidate", "looks better: a replicate is due")


def _confirmed_beside(view: _View, better: bool) -> bool:
    """Whether the incumbent's runs beside the candidate's agree with what all of them say."""
    if view.beside is None:
        return False
    if better:
        return view.beside > max(_BESIDE * view.gain, view.rounding)
    return view.beside >= -(view.reading.comparison.sigma + view.rounding)


def _hopeless(view: _View, rule: Rule) -> bool:
    """Whether even all the runs allowed would leave today's gain below half of what a verdict needs."""
    result = view.reading.comparison
    error_now = (1 / result.candidate_runs + 1 / result.incumbent_runs) ** 0.5
    error_then = (1 / rule.max_runs + 1 / max(result.incumbent_runs, rule.max_runs)) ** 0.5
    return bool(view.gain < 0.5 * (result.half_width * error_then / error_now + rule.min_effect))


def _may_repeat(candidate: Sequence[Scored], incumbent: Sequence[Scored], known: Known) -> bool:
    """Whether all replicates repeat their commit's score, so that the metric may have no noise at all."""
    return not disagree([[run.score for run in group] for group in (candidate, incumbent, *known.groups)])


def _why_improved(view: _View, better: bool, net_lines: int, rule: Rule) -> str:
    if not better:
        return f"{-net_lines} lines fewer at an equal score{_note(view)}"
    said = f"better, and {REPEATS}" if view.reading.exact else f"better with {rule.confidence:.0%} confidence"
    return said + _note(view)


def _why_inconclusive(views: Sequence[_View], rule: Rule, runs: int) -> str:
    doubt = next((view.reading for view in views if not view.is_better(rule)), None)
    if doubt is None:
        return "better than the incumbent was, but not than its runs beside it: the machine has changed meanwhile"
    if views[0].is_better(rule) and doubt.drift:
        return f"better after {runs} runs, unless the machine has drifted"
    if views[0].is_better(rule) and doubt.seed:
        return f"better after {runs} runs, unless its seeds were lucky ones"
    return f"within the noise after {runs} runs"


def _note(view: _View) -> str:
    """Return what the reading had to take into account besides the noise, to follow a reason."""
    said = ["the machine drifts, so runs near in time are compared"] if view.reading.drift else []
    said += ["the seed matters, so runs of one seed are compared"] if view.reading.seed else []
    return f" ({'; '.join(said)})" if said else ""


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
