"""The rule that turns scores into a verdict. Pure, and the only place to exchange it.

One run is one draw. A candidate that looks better after its first run earns replicates, its incumbent is
measured as often, and the verdict says how sure it is. A run that looks worse ends the experiment at once:
most candidates are worse, and the GPU is better spent on the next idea.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bot.rules.events import Direction, Verdict
from bot.rules.statistics import Comparison, Noise, compare


@dataclass(frozen=True)
class Rule:
    """How sure a verdict must be. `min_effect` is in score units; `confidence` is one-sided."""

    confidence: float = 0.95
    min_effect: float = 0.0
    min_runs: int = 2
    max_runs: int = 4


@dataclass(frozen=True)
class NeedRun:
    """No verdict yet: measure the candidate or its incumbent once more."""

    of: Literal["candidate", "incumbent"]
    why: str


@dataclass(frozen=True)
class Decided:
    """A verdict and the comparison it rests on."""

    verdict: Verdict
    reason: str
    comparison: Comparison


def decide(
    candidate: Sequence[float],
    incumbent: Sequence[float],
    noise: Noise,
    *,
    direction: Direction,
    rule: Rule,
    net_lines: int = 0,
) -> NeedRun | Decided:
    """Say what the scores so far allow: a verdict, or which run is needed next.

    `candidate` and `incumbent` are scores of runs that finished; `net_lines` is lines added minus lines
    removed. Simpler at an equal score is an improvement, and equal means: not worse by one sigma.
    """
    if len(incumbent) < rule.min_runs:
        return NeedRun("incumbent", f"the incumbent needs {rule.min_runs} runs, it has {len(incumbent)}")
    if not candidate:
        return NeedRun("candidate", "the candidate has not run yet")
    result = compare(candidate, incumbent, noise, confidence=rule.confidence)
    gain = -result.effect if direction == "minimize" else result.effect
    simpler = net_lines < 0
    enough = len(candidate) >= rule.min_runs
    if enough and gain - result.half_width > rule.min_effect:
        return Decided("improved", f"better with {rule.confidence:.0%} confidence", result)
    if enough and simpler and gain - result.half_width > -noise.sigma:
        return Decided("improved", f"{-net_lines} lines fewer at an equal score", result)
    if gain <= 0 and not (simpler and gain > -noise.sigma):
        return Decided("discarded", "no better than the incumbent", result)
    if len(candidate) >= rule.max_runs:
        return Decided("inconclusive", f"within the noise after {len(candidate)} runs", result)
    if enough and _hopeless(gain, len(incumbent), noise, result, rule) and not simpler:
        return Decided("inconclusive", "too small an effect to tell from noise within the runs left", result)
    if len(incumbent) < len(candidate):
        return NeedRun("incumbent", "measured as often as its challenger")
    return NeedRun("candidate", "looks better: a replicate is due")


def _hopeless(gain: float, incumbent_runs: int, noise: Noise, result: Comparison, rule: Rule) -> bool:
    """Whether even all the runs allowed would leave today's gain below half of what a verdict needs."""
    error_now = (1 / result.candidate_runs + 1 / result.incumbent_runs) ** 0.5
    error_then = (1 / rule.max_runs + 1 / max(incumbent_runs, rule.max_runs)) ** 0.5
    return bool(gain < 0.5 * (result.half_width * error_then / error_now + rule.min_effect))
