"""What the project makes of a candidate: its own rule (`bot.rules.decision.decide`) on simulated runs.

The incumbent's level is a Kalman filter as in `bot.rules.tracking`, with its drift and noise known: a campaign of three
hundred experiments is decided in a tenth of a second. There are no short runs. One run costs one unit, a crash less.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bot.rules.decision import Measured, NeedRun, Rule, decide
from bot.rules.tracking import Control, Track, shrunken
from tests.benchmarks.truth.world import CRASH_COST

_DRIFT = 0.003  # sigma squared that a run's time adds to what is not known of the incumbent
_DEGREES = 30.0  # of freedom: the noise is known well
_BASELINE_RUNS = 3


@dataclass(frozen=True)
class Verdict:
    """What came of a candidate. `effect` (None: it crashed) and its standard error are in score units, negative is
    better; `cost` in runs."""

    verdict: str
    effect: float | None
    error: float | None
    landed: bool
    cost: float


@dataclass
class Bench:
    """A machine, and what is known of the incumbent on it. `level` is in score units, `variance` in sigma squared."""

    sigma: float
    noise: np.ndarray
    control: np.ndarray
    level: float = 0.0
    variance: float = 1 / _BASELINE_RUNS
    runs: int = 0
    fresh: int = 0
    controls: list[Control] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.level = self.sigma * float(self.noise[0, :_BASELINE_RUNS].mean())
        self.runs = _BASELINE_RUNS

    def judge(self, number: int, truth: float, after: float | None) -> Verdict:
        """Return the verdict on experiment `number`: the incumbent's true score is `truth`, the candidate's `after`
        (None: it crashes)."""
        if after is None:
            self.runs += 1
            return Verdict("crashed", None, None, False, CRASH_COST)
        scores: list[Measured] = []
        before = self.runs
        while True:
            track = Track(self.level, self.variance, self.sigma, _DEGREES, _DRIFT, tuple(self.controls))
            outcome = decide(scores, track, direction="minimize", rule=Rule(), net_lines=1)
            if not isinstance(outcome, NeedRun):
                break
            self.variance += _DRIFT
            if outcome.of == "candidate":
                drawn = self.noise[number, min(len(scores), self.noise.shape[1] - 1)]
                scores.append(Measured(after + self.sigma * float(drawn), self.runs))
            else:
                self._measure(truth)
            self.runs += 1
        found, cost = outcome.comparison, float(self.runs - before)
        error = self.sigma * (1 / len(scores) + self.variance) ** 0.5
        landed = outcome.verdict == "improved"
        if landed:
            distance = abs(found.effect) / self.sigma
            self.level += shrunken(distance, len(scores)) * found.effect
            self.variance = 1 / len(scores)
            self.controls = []
        return Verdict(outcome.verdict, found.effect, error, landed, cost)

    def _measure(self, truth: float) -> None:
        """Run the incumbent."""
        score = truth + self.sigma * float(self.control[self.fresh % len(self.control)])
        self.fresh += 1
        share = self.variance / (self.variance + 1)
        self.level += share * (score - self.level)
        self.variance *= 1 - share
        self.controls.append(Control(score, self.runs))
