"""Bits per byte from logits: the one place where a score is computed.

As in karpathy/autoresearch: the sum of -ln p(target) over the targets that stand for at least one byte, over
ln 2 times the sum of their bytes. Computed in float64, from float32 logits.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import CandidateFailed

METRIC_VERSION = 1


class Tally:
    """Adds up the loss over positions in order.

    `targets` (N,) are token ids, `token_bytes` (V,) the bytes each id stands for.
    """

    def __init__(self, targets: NDArray[np.int32], token_bytes: NDArray[np.int32]) -> None:
        self._targets = targets
        self._bytes = token_bytes
        self._done = 0
        self._nats = 0.0
        self._count = 0

    def add(self, logits: NDArray[np.float32]) -> None:
        """Take the logits (n, V) of the next n positions.

        Raises `CandidateFailed` (nan) for logits that give the target no finite probability.
        """
        targets = self._targets[self._done : self._done + len(logits)]
        nats = cross_entropy(logits, targets)
        if not np.isfinite(nats).all():
            raise CandidateFailed("nan", "the model's logits on the validation text are not finite")
        lengths = self._bytes[targets]
        self._nats += float(nats[lengths > 0].sum())
        self._count += int(lengths.sum())
        self._done += len(logits)

    def bits_per_byte(self) -> float:
        """Return the score, once all positions were added."""
        assert self._done == len(self._targets), "not all positions were scored"
        return self._nats / (math.log(2) * self._count)


def cross_entropy(logits: NDArray[np.float32], targets: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return -ln softmax(logits)[target] per row of (n, V), in nats; not finite where the logits are not."""
    wide = logits.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        wide -= wide.max(axis=1, keepdims=True)
        picked = wide[np.arange(len(targets)), targets]
        np.exp(wide, out=wide)
        return np.asarray(np.log(wide.sum(axis=1)) - picked)
