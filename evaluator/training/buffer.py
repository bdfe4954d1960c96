"""The memory through which logits come out of a jail: made by us, of a size that nobody can change."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import CandidateFailed, UserError
from evaluator.inside import frames

SLOT_BYTES = 1 << 24

# linux/fcntl.h: not all of these are in Python's fcntl.
_F_ADD_SEALS = 1033
_SEAL_SEAL, _SEAL_SHRINK, _SEAL_GROW = 1, 2, 4


class Buffer:
    """`SLOTS` slots of float32 in shared memory. `descriptor` is passed into the jail."""

    def __init__(self, vocabulary: int) -> None:
        """Make room for at least one position per slot."""
        self.vocabulary = vocabulary
        half = max(SLOT_BYTES, 4 * vocabulary)
        self.rows = half // 4 // vocabulary
        self.descriptor = os.memfd_create("nocturne-logits", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.descriptor, frames.SLOTS * half)
            # Shrunk under our hands, it would end us with a bus error.
            fcntl.fcntl(self.descriptor, _F_ADD_SEALS, _SEAL_SEAL | _SEAL_SHRINK | _SEAL_GROW)
            shared = mmap.mmap(self.descriptor, 0, prot=mmap.PROT_READ)
        except OSError as error:
            os.close(self.descriptor)
            raise UserError(f"no shared memory for logits: {error.strerror}") from None
        values: NDArray[np.float32] = np.frombuffer(shared, "<f4")
        size = self.rows * vocabulary
        self._slots = [
            values[i * half // 4 : i * half // 4 + size].reshape(self.rows, vocabulary)
            for i in range(frames.SLOTS)
        ]

    def view(self, body: bytes, left: int) -> tuple[int, NDArray[np.float32]]:
        """Return slot and logits (positions, vocabulary) of a LOGITS message, of which `left` may come.

        The jail may still write there: whoever reads must read once. Raises `CandidateFailed` (scoring).
        """
        if len(body) == frames.SLOT.size:
            slot, count = frames.SLOT.unpack(body)
            if slot < frames.SLOTS and 0 < count <= min(left, self.rows):
                return slot, self._slots[slot][:count]
        raise CandidateFailed("refused", "the candidate sent logits of the wrong size", defence="scoring")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.descriptor)
