"""A model as it was handed in: bytes that only the audit's jail ever reads."""

from __future__ import annotations

import os

from evaluator.errors import CandidateFailed


class ModelFile:
    """Anonymous memory that is written piece by piece; it never lies in our own memory as a whole."""

    def __init__(self, most_mb: float) -> None:
        self._most = int(most_mb * 2**20)
        self._file = os.memfd_create("nocturne-model", os.MFD_CLOEXEC)
        self.size = 0

    def write(self, piece: bytes | bytearray) -> None:
        """Add a piece; raise `CandidateFailed` if it grows larger than the candidate's own memory may."""
        self.size += len(piece)
        if self.size > self._most:
            raise CandidateFailed(
                "out_of_memory", f"the model is larger than {self._most >> 20} MiB", defence="limits"
            )
        left = memoryview(piece)
        while left:
            left = left[os.write(self._file, left) :]

    def reading_end(self) -> int:
        """Return a new descriptor that can only be read, from the start."""
        return os.open(f"/proc/self/fd/{self._file}", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._file)
