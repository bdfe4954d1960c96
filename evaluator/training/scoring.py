"""Bits per byte from logits: the one place where a score is computed.

As in karpathy/autoresearch: the sum of -ln p(target) over the targets that stand for at least one byte, over
ln 2 times the sum of their bytes. Logits are float32, sums are float64.
"""

from __future__ import annotations

import copy
import math

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import CandidateFailed

METRIC_VERSION = 1

_BLOCK_BYTES = 1 << 19  # what fits into a processor's cache twice


class Tally:
    """Adds up the loss over positions in order.

    `targets` (N,) are token ids, `token_bytes` (V,) the bytes each id stands for. `nats` (N,) holds the loss of
    each position once it was added.
    """

    def __init__(self, targets: NDArray[np.int32], token_bytes: NDArray[np.int32]) -> None:
        self.targets = targets
        self.lengths = token_bytes[targets]
        self.nats = np.zeros(len(targets))
        self._done = 0

    @property
    def left(self) -> int:
        """How many positions were not added yet."""
        return len(self.targets) - self._done

    def add(self, logits: NDArray[np.float32]) -> None:
        """Take the logits (n, V) of the next n positions.

        Raises `CandidateFailed` (nan) for logits that give the target no finite probability.
        """
        self.take(cross_entropy(logits, self.wanted(len(logits))))

    def wanted(self, most: int) -> NDArray[np.int32]:
        """Return the targets of the next positions, `most` at the most."""
        return self.targets[self._done : self._done + most]

    def take(self, nats: NDArray[np.float64]) -> None:
        """Take the losses (n,) of the next n positions; raise `CandidateFailed` (nan) if one is not finite."""
        self.nats[self._done : self._done + len(nats)] = finite(nats)
        self._done += len(nats)

    def part(self, rows: NDArray[np.bool_]) -> Tally:
        """Return a tally of some of the rows alone, once all positions were added; `rows` (n,) tells which."""
        places: NDArray[np.bool_] = np.repeat(rows, len(self.targets) // len(rows))
        part = copy.copy(self)
        part.targets, part.lengths, part.nats = self.targets[places], self.lengths[places], self.nats[places]
        part._done = len(part.targets) if self.left == 0 else 0
        return part

    def bits_per_byte(self) -> float:
        """Return the score, once all positions were added."""
        assert self.left == 0, "not all positions were scored"
        return float(self.nats[self.lengths > 0].sum()) / (math.log(2) * int(self.lengths.sum()))


def finite(nats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `nats`; raise `CandidateFailed` (nan) if one of them is no number to add up."""
    if not np.isfinite(nats).all():
        raise CandidateFailed(
            "nan", "the model's logits on the validation text are not finite", defence="scoring"
        )
    return nats


def cross_entropy(logits: NDArray[np.float32], targets: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return -ln softmax(logits)[target] per row of (n, V), in nats; not finite if the logits are not.

    Each block is copied first, and the copy alone is looked at: somebody else may write to `logits`.
    """
    count, vocabulary = logits.shape
    nats = np.empty(count)
    step = max(1, _BLOCK_BYTES // (4 * vocabulary))
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        for start in range(0, count, step):
            block = np.array(logits[start : start + step], dtype=np.float32)
            wanted = targets[start : start + step]
            largest = block.max(axis=1, keepdims=True)
            picked = block[np.arange(len(block)), wanted].astype(np.float64) - largest[:, 0]
            block -= largest
            np.exp(block, out=block)
            nats[start : start + step] = np.log(block.sum(axis=1, dtype=np.float64)) - picked
    return nats
