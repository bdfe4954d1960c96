"""Whether what a candidate has gained by its score holds at the cuts too, where nobody can know the answer.

Gains are losses of the incumbent (the mean over its runs) minus the candidate's, paired by position, in bits per byte.
A run's luck lifts the score and the cuts alike, so it does not count in the difference. What is left is chance in
which places were cut: its standard error comes from the paired differences, row by row, because places in one row
are alike. The scored rows are draws of the same kind, whose error is smaller by how many more they are. A candidate
must not choose how large that error is: differences beyond `CLIP` count as that, and its losses in the scored rows
give none.

An honest gain need not be the same at the cuts: their context has holes, and each row of them several subjects. So a
`TOLERATED` part of the gain may be missing, and `SLACK` in any case: models that are nearly alike have hardly an error.
`tests/benchmarks/cuts.py` measures how much is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.cuts.drawing import ENOUGH, Cuts
from evaluator.errors import CandidateFailed

REFUSED_Z = 3.719  # one honest candidate in 10,000
CAUGHT_Z = 2.326  # 99 of 100 cheats of the size that is told
TOLERATED, SLACK = 0.15, 0.0005  # of the gain; bits per byte
CLIP = 8.0  # nats


@dataclass(frozen=True)
class Losses:
    """What one run lost: its `score` in bits per byte, and `nats` (n,) at the cuts."""

    score: float
    nats: NDArray[np.float32]


@dataclass(frozen=True)
class Finding:
    """A candidate's gain over the incumbent in bits per byte: by the score (`told`) and at the cuts (`held`).

    `error` is the standard error of the difference, `allowed` how large the shortfall of an honest candidate may be,
    and `caught` the smallest gain by cheating alone that exceeds it in 99 of 100.
    """

    cuts: int
    told: float
    held: float
    error: float
    allowed: float
    caught: float

    @property
    def shortfall(self) -> float:
        return self.told - self.held

    @property
    def refuses(self) -> bool:
        return self.cuts >= ENOUGH and self.shortfall > self.allowed

    def metrics(self) -> dict[str, float]:
        """Return the figures that are told with a score."""
        return {
            "cuts_shortfall_bpb": round(self.shortfall, 6),
            "cuts_error_bpb": round(self.error, 6),
            "cuts_caught_bpb": round(self.caught, 6),
        }

    def refusal(self, over: str = "the incumbent") -> CandidateFailed:
        """Return why a candidate is refused, whose gain `over` something does not hold."""
        return CandidateFailed(
            "refused",
            f"its gain over {over} is {self.told:.4f} bits per byte by the score, but {self.held:.4f} at {self.cuts:,}"
            f" targets that no run is ever shown; the two may differ by {self.allowed:.4f} (standard error"
            f" {self.error:.4f})",
            defence="cuts",
        )


def judge(cuts: Cuts, mine: Losses, others: Sequence[Losses]) -> Finding:
    """Compare a candidate's losses with those of the incumbent's runs at the same cuts.

    `others` are at least one, and of the same cuts; there are at least two cuts.
    """
    before = np.mean([each.nats for each in others], axis=0, dtype=np.float64)
    gains = np.clip(before - mine.nats, -CLIP, CLIP) / math.log(2)
    told = float(np.mean([each.score for each in others])) - mine.score
    held, error, groups = _ratio(gains, cuts)
    limit = _student(REFUSED_Z, groups - 1) * error
    return Finding(
        cuts=len(cuts),
        told=told,
        held=held,
        error=error,
        allowed=limit + SLACK + TOLERATED * max(told, 0.0),
        caught=(limit + SLACK + _student(CAUGHT_Z, groups - 1) * error) / (1 - TOLERATED),
    )


def _ratio(values: NDArray[np.float64], cuts: Cuts) -> tuple[float, float, int]:
    """Return the mean of `values` (n,) for one byte, the standard error of its difference from that of the scored rows,
    and in how many rows the cuts lie."""
    size = float(cuts.lengths.sum())
    mean = float(values.sum()) / size
    residuals = values - mean * cuts.lengths
    rows = np.bincount(cuts.groups, weights=residuals)
    count = len(np.unique(cuts.groups))
    if count < 2:
        return mean, math.inf, count
    by_rows = count / (count - 1) * float(np.square(rows).sum()) / size**2
    by_places = float(np.square(residuals).sum()) / size**2
    if cuts.rows:  # else they lie in the scored rows
        alike = max(0.0, by_rows - by_places)
        by_rows += alike * count / cuts.scored_rows
        by_rows += by_places * len(cuts) / (cuts.scored_rows * cuts.inputs.shape[1])
    return mean, math.sqrt(by_rows), count


def _student(z: float, degrees: int) -> float:
    """Return the quantile of Student's t to a normal quantile (Abramowitz and Stegun 26.7.5)."""
    if degrees < 1:
        return math.inf
    terms: tuple[float, ...] = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + math.fsum(term / degrees**power for power, term in enumerate(terms, start=1))
