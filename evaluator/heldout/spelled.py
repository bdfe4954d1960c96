"""Token ids spelled as numbers: where a text has a run of tokens that stands in the validation rows.

Runs are compared by their steps from one id to the next, so that an offset added to all ids changes nothing;
numbers that are themselves the steps count too. So do fractions, and ids that were all multiplied by something: the
steps of a run are divided by what divides all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from evaluator.heldout.disguises import numbers
from evaluator.heldout.hashing import Filter, Hashes, Places, distinct, places, rolling

RUN = 24  # tokens in a row
STEPS = RUN - 1
DIFFERENT = 8  # different steps that a run has at least: numbers that repeat or count are no text
AT_ONCE = 1 << 20  # tokens

_DIGITS = re.compile(rb"\d{%d,}" % (3 * RUN))
_FRACTION = re.compile(rb"(?<![\w.])-?(?:\d{1,15}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][-+]?\d{1,2})?(?![\w.])")
_RUNS_AT_ONCE = 1 << 16
_WIDTHS = (3, 4, 5)  # digits of an id, where all have the same number and nothing stands between them
_PACKED = ("<i2", ">i2", "<i4", ">i4")


class Rows:
    """Validation rows (n, T) of token ids, laid end to end, and the hashes of all runs of steps in them."""

    def __init__(self, rows: NDArray[np.int32]) -> None:
        self._flat = rows.reshape(-1)
        self._quick = Filter(len(self._flat))
        for _, hashes in self._runs():
            self._quick.add(hashes)

    def candidates(self, text: bytes) -> Hashes:
        """Return the hashes of runs in whatever numbers `text` may stand for that may be runs of the rows."""
        found: list[Hashes] = [np.empty(0, np.uint64)]
        for values, written in _sequences(text):
            for ordered in (values, values[::-1]):
                for steps in (ordered, np.diff(ordered)):
                    kinds = (rolling(steps, STEPS), *([_divided(steps)] if written else []))
                    found += [hashes[self._quick.may_hold(hashes)] for hashes in kinds]
        return distinct(np.concatenate(found))

    def matching(self, known: Hashes) -> Hashes:
        """Return which of the hashes `known` (sorted) are those of runs in the rows that are telling."""
        found: list[Hashes] = [np.empty(0, np.uint64)]
        if len(known):
            for steps, hashes in self._runs():
                at = np.flatnonzero(places(hashes, known) >= 0)
                ordered = (
                    np.sort(sliding_window_view(steps, STEPS)[at], axis=1) if len(at) else np.empty((0, 1))
                )
                telling = (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1) + 1 >= DIFFERENT
                found.append(hashes[at[telling]])
        return distinct(np.concatenate(found))

    def _runs(self) -> Iterator[tuple[Places, Hashes]]:
        for start in range(0, len(self._flat), AT_ONCE):
            steps = np.diff(self._flat[start : start + AT_ONCE + STEPS].astype(np.int64))
            yield steps, rolling(steps, STEPS)


def _divided(steps: NDArray[np.int64]) -> Hashes:
    """Return the hashes of the runs of `steps` that have a common factor, without it, and with the other sign."""
    found: list[Hashes] = [np.empty(0, np.uint64)]
    for start in range(0, len(steps) - STEPS + 1, _RUNS_AT_ONCE):
        runs = sliding_window_view(steps[start : start + _RUNS_AT_ONCE + STEPS - 1], STEPS)
        common = np.gcd.reduce(runs, axis=1)
        for factor in (common, -common):
            usable = (common > 1) | (factor == -1)
            found.append(rolling((runs[usable] // factor[usable, None]).reshape(-1), STEPS)[::STEPS])
    return np.concatenate(found)


def _fractions(text: bytes) -> NDArray[np.int64]:
    """Return the numbers written out in `text`, in units of 1e-9; those that are too large as 0."""
    if b"." not in text:
        return np.empty(0, np.int64)
    values = [float(word) * 1e9 for word in _FRACTION.findall(text)]
    return np.array([round(value) if abs(value) < 1e18 else 0 for value in values], np.int64)


def _sequences(text: bytes) -> Iterator[tuple[NDArray[np.int64], bool]]:
    """Yield the numbers written out in `text`, each second one, those of fixed width, characters, packed ones; and
    whether they were written out, each by itself."""
    for written in (numbers(text), _fractions(text)):
        yield from ((each, True) for each in (written, written[::2], written[1::2]))
    for digits in _DIGITS.findall(text):
        for width in _WIDTHS:
            yield (
                np.array([int(digits[at : at + width]) for at in range(0, len(digits), width)], np.int64),
                False,
            )
    yield np.frombuffer(text.decode(errors="replace").encode("utf-32-le"), "<u4").astype(np.int64), False
    for kind in _PACKED:
        size = np.dtype(kind).itemsize
        for start in range(size):
            whole = text[start : len(text) - (len(text) - start) % size]
            yield np.frombuffer(whole, kind).astype(np.int64), False
