"""The causality audit: what a model said about a token must not come from that token or from later ones.

Whoever is given a sequence is given its targets, one position later. So positions are drawn in secret, and
asked again of a fresh process that shares nothing with the first but the model as it was handed in, and that
sees the same row up to that position and unrelated text behind it. For a model that looks only back, keeps
nothing between batches and does not learn while it is measured, both say the same.

The bound is on the mean gain at the true target: exam minus audit, in bits per byte, upper confidence limit
below a quarter of the smallest effect that counts. Most positions are drawn evenly, a part where the exam did much
better than the frequency of the token explains, and a part where it did worse, for there is most to gain; each is
weighted by one over its probability (Horvitz and Thompson 1952), so that the estimate stays unbiased, and one is drawn
from each of as many equal strata as there are probes. Who peeks at few positions does best to come no nearer to them
than the token's frequency explains, and is then found by the even part alone: hence its share
(`make bench-audits` shows what it finds).

What one audit found goes out with the score, for the bot to add up over the runs of a candidate and of a lineage.

No question may answer another one. A row is asked from its first positions to its last, never twice in one batch,
and the text behind a position is drawn token by token from the frequencies of the whole, so that nothing that was
seen before says what comes after. Rows are asked in the order opposite to the exam's: a model that learns from what
it is asked knows least when the audit asks for what it knew best in the exam, so the first half of the probes must
hold by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import CandidateFailed

LEAST_PROBES, MOST_PROBES = 512, 1024  # as many as the exam has rows, within these
EVEN, BETTER, WORSE = 0.7, 0.15, 0.15  # how the positions are drawn
FAR_NATS = 0.5  # no rounding moves an answer so far: the exam knew what the audit does not
CONFIDENCE_Z = 2.33  # one-sided 99 %
RMS_NATS = 0.1  # how far answers may lie apart: rounding of bfloat16 moves them by 0.01 to 0.03
BOUND_PART = 0.25


@dataclass(frozen=True)
class Probes:
    """Rows (n, T) to ask, at `positions` (n,), in this order. `places` (n,) index the flat exam and `rows` (n,)
    its rows; `weights` (n,) make a sum over probes a mean over the exam."""

    tokens: NDArray[np.int32]
    positions: NDArray[np.int32]
    places: NDArray[np.int64]
    rows: NDArray[np.int64]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.places)

    def batches(self, most: int) -> Iterator[slice]:
        """Yield the parts to ask at once: up to `most` probes, no two of one row."""
        start = 0
        seen: set[int] = set()
        for at, row in enumerate(self.rows.tolist()):
            if at - start == most or row in seen:
                yield slice(start, at)
                start, seen = at, set()
            seen.add(row)
        yield slice(start, len(self))


@dataclass(frozen=True)
class Finding:
    """What the answers say: the mean gain and its standard error in bits per byte, of all of the probes and of the
    first half; `rms` in nats per probe. At `far` of the probes the exam was better by `FAR_NATS` and more. `factor`
    is how many times the usual number of probes was asked."""

    probes: int
    gain: float
    error: float
    early_gain: float
    early_error: float
    rms: float
    far: int
    factor: int

    @property
    def upper(self) -> float:
        """The upper confidence limit of the gain."""
        return self.gain + CONFIDENCE_Z * self.error

    @property
    def early_upper(self) -> float:
        """The upper confidence limit of what the first half gained."""
        return self.early_gain + CONFIDENCE_Z * self.early_error

    @property
    def is_scatter(self) -> bool:
        """Whether nothing shows a gain: the answers lie too far apart to tell."""
        whole, early = self.gain < 2 * self.error, self.early_gain < 2 * self.early_error
        return not self.far and whole and early

    def metrics(self) -> dict[str, float]:
        """Return what is told of the audit, and what is needed to add several up."""
        return {
            "probes": self.probes,
            "factor": self.factor,
            "gain_bpb": round(self.gain, 9),
            "error_bpb": round(self.error, 9),
            "upper_bpb": round(max(self.upper, self.early_upper), 9),
            "rms_nats": round(self.rms, 9),
            "far": self.far,
        }


class Audit:
    """Draws probes for one exam and judges the answers.

    `inputs` (rows, T) are the exam's tokens in the order they were asked, `targets`, `lengths` and `nats` (N,)
    its flat targets, their bytes and the losses it gave them. `factor` times the usual number of probes are asked.
    """

    def __init__(
        self,
        inputs: NDArray[np.int32],
        targets: NDArray[np.int32],
        lengths: NDArray[np.int32],
        nats: NDArray[np.float64],
        *,
        min_effect: float,
        draw: np.random.Generator,
        factor: int = 1,
    ) -> None:
        self._inputs, self._targets, self._nats = inputs, targets, nats
        self._draw, self._factor = draw, factor
        self.bound = BOUND_PART * min_effect
        counted = lengths > 0
        self._bits_per_mean = int(counted.sum()) / (math.log(2) * int(lengths.sum()))
        self._chances = _chances(targets, counted, nats)
        self._upto = np.cumsum(self._chances)
        self._count = int(counted.sum())

    @property
    def size(self) -> int:
        """How many probes to draw."""
        return self._factor * int(np.clip(len(self._inputs), LEAST_PROBES, MOST_PROBES))

    def draw(self, count: int) -> Probes:
        """Draw `count` probes, in the order in which they are to be asked."""
        columns = self._inputs.shape[1]
        places = self.places(count)
        rows = places // columns
        turns = np.arange(count) - np.searchsorted(rows, rows)  # how many of its row come before
        places = places[np.lexsort((-rows, turns))]
        rows, positions = places // columns, places % columns
        tokens = self._inputs[rows].copy()
        later = np.arange(columns)[None, :] > positions[:, None]
        tokens[later] = self._draw.choice(self._inputs.reshape(-1), size=int(later.sum()))
        return Probes(tokens, positions.astype(np.int32), places, rows, self.weights(places))

    def places(self, count: int) -> NDArray[np.int64]:
        """Return `count` positions (n,) of the flat exam, from first to last: one from each of so many strata."""
        strata = (np.arange(count) + self._draw.random(count)) / count
        places = np.searchsorted(self._upto, strata * self._upto[-1], side="right")
        return np.asarray(np.minimum(places, len(self._upto) - 1))

    def weights(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what makes a sum over so drawn places (n,) a mean over the exam."""
        return 1 / (self._chances[places] * self._count)

    def targets(self, probes: Probes) -> NDArray[np.int32]:
        """Return the true targets of `probes`, which the process that is asked never sees."""
        return self._targets[probes.places]

    def judge(self, probes: Probes, nats: NDArray[np.float64]) -> Finding:
        """Return what the losses (n,) say that the fresh process gave at the true targets."""
        gains, half = nats - self._nats[probes.places], len(probes) // 2
        gain, error = self._mean(gains, probes.weights)
        early_gain, early_error = self._mean(gains[:half], probes.weights[:half])
        return Finding(
            probes=len(probes),
            gain=gain,
            error=error,
            early_gain=early_gain,
            early_error=early_error,
            rms=float(np.sqrt(np.mean(gains**2))),
            far=int((gains >= FAR_NATS).sum()),
            factor=self._factor,
        )

    def holds(self, finding: Finding) -> bool:
        return finding.rms <= RMS_NATS and max(finding.upper, finding.early_upper) < self.bound

    def refusal(self, finding: Finding) -> CandidateFailed:
        """Return why a model was refused."""
        what = (
            "the model's answers differ too much to say whether it looks ahead"
            if finding.is_scatter
            else "the model predicts worse"
        )
        told = (
            f"asked again at {finding.probes:,} positions, without the text that follows them, {what}:"
            f" {finding.gain:+.4f} bits per byte (at most {max(finding.upper, finding.early_upper):.4f} with 99 %"
            f" confidence; {self.bound:.5f} are allowed), its losses {finding.rms:.3f} nats apart"
        )
        hint = "it looks ahead, remembers other rows, learns while measured, or answers at random (dropout?)"
        return CandidateFailed("refused", f"{told}: {hint}", defence="audit", audit=finding.metrics())

    def _mean(self, gains: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, float]:
        """Return the mean gain in bits per byte and its standard error."""
        terms = gains * weights
        error = float(terms.std(ddof=1)) / math.sqrt(len(terms))
        return float(terms.mean()) * self._bits_per_mean, error * self._bits_per_mean


def _chances(
    targets: NDArray[np.int32], counted: NDArray[np.bool_], nats: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the probability (N,) of each position to be drawn."""
    _, back, frequency = np.unique(targets, return_inverse=True, return_counts=True)
    surprise = -np.log(frequency[back] / len(targets))
    even = counted / counted.sum()
    better = np.where(counted, np.maximum(surprise - nats, 0.0), 0.0)
    worse = np.where(counted, np.maximum(nats - surprise, 0.0), 0.0)
    parts = [each / each.sum() if each.sum() > 0 else even for each in (better, worse)]
    return np.asarray(EVEN * even + BETTER * parts[0] + WORSE * parts[1])
