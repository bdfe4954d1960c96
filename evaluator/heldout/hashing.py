"""Hashes of every window of a text at once, and sets of hashes that answer quickly.

Rolling hashes after Karp and Rabin (1987, https://doi.org/10.1147/rd.312.0249), modulo 2^64, built by doubling:
the hash of 2w bytes is made from those of its two halves, so that 64 bytes take six passes of numpy.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Hashes: TypeAlias = "NDArray[np.uint64]"
Places: TypeAlias = "NDArray[np.int64]"

_BASE = 0x9E3779B97F4A7C15  # odd; its powers mix bytes and token ids alike
_SPREAD = np.uint64(0xD6E8FEB86659FD93)


def rolling(values: NDArray[np.generic], width: int) -> Hashes:
    """Return the hash of each `width` values in a row, (len(values) - width + 1,) or none for fewer values."""
    if len(values) < width:
        return np.empty(0, np.uint64)
    whole: Hashes | None = None
    part, size = values.astype(np.int64).view(np.uint64), 1
    part += np.uint64(1)  # zeros count too
    done = 0
    while True:  # `part` has the hashes of `size` values; the bits of `width` say which parts make the whole
        if width & size:
            whole = part if whole is None else whole[: len(part) - done] * _power(size) + part[done:]
            done += size
        if done == width:
            assert whole is not None
            return whole
        part = part[:-size] * _power(size) + part[size:]
        size *= 2


def _power(exponent: int) -> np.uint64:
    power: np.uint64 = np.uint64(pow(_BASE, exponent, 1 << 64))
    return power


class Filter:
    """A table of bits (a byte each) that most values outside a set miss: the first look of every search."""

    def __init__(self, count: int) -> None:
        """Make room for `count` values."""
        bits = min(max(count * 12, 1 << 12).bit_length(), 27)
        self._shift = np.uint64(64 - bits)
        self._table: NDArray[np.bool_] = np.zeros(1 << bits, np.bool_)

    @classmethod
    def of(cls, values: Hashes) -> Filter:
        made = cls(len(values))
        made.add(values)
        return made

    def add(self, values: Hashes) -> None:
        self._table[self._slots(values)] = True

    def may_hold(self, values: Hashes) -> NDArray[np.bool_]:
        """Return where `values` may be in the set: always true for its members."""
        return self._table.take(self._slots(values))

    def _slots(self, values: Hashes) -> Places:
        slots = values * _SPREAD
        slots >>= self._shift
        return slots.view(np.int64)


def places(values: Hashes, known: Hashes) -> Places:
    """Return where each of `values` stands in the sorted `known`, -1 if it does not."""
    if not len(known):
        return np.full(len(values), -1, np.int64)
    found: Places = np.asarray(np.searchsorted(known, values), np.int64)
    found[found == len(known)] = 0
    return np.where(known[found] == values, found, -1)


def distinct(values: Hashes) -> Hashes:
    """Return `values` sorted, each once. (numpy's own `unique` takes fifty times as long for many hashes.)"""
    ordered = np.sort(values)
    fresh: NDArray[np.bool_] = np.ones(len(ordered), np.bool_)
    fresh[1:] = ordered[1:] != ordered[:-1]
    return ordered[fresh]
