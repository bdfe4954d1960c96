"""Draws the cuts: places in validation text whose target no run is ever shown.

A secret key decides where they are, so that all runs of a campaign have the same ones, and none knows where. Cut rows
are made of text behind the scored rows. Each reads on through that text in stretches of 16 to 32 tokens; behind each
stretch it leaves out the next token, which is the cut's target, and `HOLE` more. So a cut at column c has a context of
c + 1 tokens, as the score's positions have, and one row holds many.

A cut is dropped if its target is shown anywhere: if any sixteen tokens in a row that hold it stand in a scored row or
in a stretch. Loaders may begin anywhere, so nothing is known of a place but its text.

If the loader gives no rows behind the scored ones, the last target of each scored row is left: no row shows it, unless
another one begins there.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ENOUGH = 10_000  # from so many on a candidate may be refused by them
WINDOW = 16  # tokens by which a place in the text is recognized
SHORTEST, LONGEST = WINDOW, 32  # tokens of a stretch
HOLE = WINDOW  # left out behind a target
PART_OF_THE_EXAM = 4  # one cut row to so many scored ones, unless a number of cuts is asked for

_VERSION = 1
_MEAN = (SHORTEST + LONGEST) / 2
_SPARE = 1.1  # some cuts are dropped


@dataclass(frozen=True)
class Cuts:
    """Cut rows to ask beside the scored ones: `inputs` and `targets` (rows, columns), of which only the flat `places`
    (n,) count. Without rows of their own (`rows` is 0) the places are of the scored rows.

    `lengths` (n,) are the bytes of the targets at the places, `groups` (n,) the rows they lie in, of `scored_rows` and
    more. `mark` says which cuts these are: losses of others can't be compared.
    """

    inputs: NDArray[np.int32]
    targets: NDArray[np.int32]
    places: NDArray[np.int64]
    lengths: NDArray[np.int32]
    scored_rows: int
    mark: str

    def __len__(self) -> int:
        return len(self.places)

    @property
    def rows(self) -> int:
        """How many rows are asked beside the scored ones."""
        return len(self.inputs)

    @property
    def groups(self) -> NDArray[np.int64]:
        """The row (n,) of each place."""
        return self.places // self.inputs.shape[1]


def pool_tokens() -> int:
    """Return how many tokens of text behind the scored rows are wanted: four times what cuts enough are made of."""
    return math.ceil(4 * ENOUGH * _MEAN)


def draw(
    key: bytes,
    inputs: NDArray[np.int32],
    targets: NDArray[np.int32],
    pool: NDArray[np.int32],
    token_bytes: NDArray[np.int32],
    *,
    wanted: int | None,
) -> Cuts:
    """Return the cuts that `key` decides: about `wanted`, or as many as a quarter of the exam's rows holds.

    `inputs` and `targets` (rows, columns) are scored, `pool` (n, columns + 1) is the text behind them, and
    `token_bytes` (vocabulary,) the bytes of each token.
    """
    digest = hashlib.sha256(repr((_VERSION, key, inputs.shape, pool.shape, wanted)).encode())
    for each in (inputs, targets, pool):
        digest.update(each.astype("<i4").tobytes())
    rng = np.random.default_rng(int.from_bytes(digest.digest(), "little"))
    mark = hashlib.sha256(b"mark " + digest.digest()).hexdigest()
    columns = inputs.shape[1]
    most = max(1, len(inputs) // PART_OF_THE_EXAM) if wanted is None else len(pool)
    rows = min(most, math.ceil(_SPARE * (wanted or ENOUGH) * _MEAN / columns))
    stretches = _stretches(rng, pool, rows * columns) if columns >= 2 * WINDOW else []
    rows = min(rows, sum(length for _, _, length in stretches) // columns)
    if rows == 0:
        return _natural(inputs, targets, token_bytes, mark)
    shown = np.concatenate([pool[row, at : at + length] for row, at, length in stretches])
    ends = np.cumsum([length for _, _, length in stretches])
    sources = np.array([(row, at + length) for row, at, length in stretches])
    inside = ends <= rows * columns
    sources, ends = sources[inside], ends[inside]
    hidden = pool[sources[:, 0], sources[:, 1]]
    around = pool[sources[:, :1], sources[:, 1:] + np.arange(1 - WINDOW, WINDOW)]  # (n, 2 * WINDOW - 1)
    known = np.concatenate([_windows(inputs).reshape(-1), _windows(shown)])
    kept = (token_bytes[hidden] > 0) & ~np.isin(_windows(around), known).any(axis=1)
    shown = shown[: rows * columns]
    asked: NDArray[np.int32] = np.append(shown[1:], shown[:1])  # only the cuts' own targets count
    asked[ends - 1] = hidden
    return Cuts(
        shown.reshape(rows, columns),
        asked.reshape(rows, columns),
        ends[kept] - 1,
        token_bytes[hidden[kept]],
        len(inputs),
        mark,
    )


def mixed(cuts: Cuts, key: bytes) -> NDArray[np.bool_]:
    """Return for each row of the exam (scored_rows + rows,) whether it is a scored one: cut rows lie anywhere between
    these, at places that the key decides."""
    seed = hashlib.sha256(b"mixed " + key + cuts.mark.encode()).digest()
    scored: NDArray[np.bool_] = np.ones(cuts.scored_rows + cuts.rows, dtype=bool)
    rng = np.random.default_rng(int.from_bytes(seed, "little"))
    scored[rng.choice(len(scored), size=cuts.rows, replace=False)] = False
    return scored


def _stretches(rng: np.random.Generator, pool: NDArray[np.int32], tokens: int) -> list[tuple[int, int, int]]:
    """Return stretches of at least so many tokens in all, if the pool has them: row, first position, length."""
    found: list[tuple[int, int, int]] = []
    total = 0
    last = pool.shape[1] - WINDOW  # what a target is recognized by lies in its row, on both sides
    for row in rng.permutation(len(pool)).tolist():
        at = 0
        for length in rng.integers(SHORTEST, LONGEST + 1, size=pool.shape[1] // SHORTEST).tolist():
            if at + length > last or total >= tokens:
                break
            found.append((row, at, length))
            total += length
            at += length + 1 + HOLE
        if total >= tokens:
            break
    return found


def _natural(
    inputs: NDArray[np.int32], targets: NDArray[np.int32], token_bytes: NDArray[np.int32], mark: str
) -> Cuts:
    """Return the last targets of the scored rows that no other row shows."""
    count, columns = inputs.shape
    nobody = np.empty((0, columns), np.int32)
    places = np.arange(1, count + 1) * columns - 1
    hidden = targets[:, -1]
    none = Cuts(nobody, nobody, places[:0], token_bytes[hidden[:0]], count, mark)
    follows = count > 1 and np.mean(inputs[1:, 0] == hidden[:-1]) > 0.5  # rows that read on from each other
    if follows or columns < WINDOW:
        return none
    ends = np.concatenate([inputs[:, columns - WINDOW + 1 :], hidden[:, None]], axis=1)
    kept = (token_bytes[hidden] > 0) & ~np.isin(_windows(ends)[:, 0], _windows(inputs).reshape(-1))
    for size in range(2, WINDOW):  # a row that begins so shortly before the target
        kept &= ~np.isin(_windows(ends[:, -size:], size)[:, 0], _windows(inputs[:, :size], size)[:, 0])
    return Cuts(nobody, nobody, places[kept], token_bytes[hidden[kept]], count, mark)


def _windows(tokens: NDArray[np.int32], size: int = WINDOW) -> NDArray[np.uint64]:
    """Return a hash of each `size` tokens in a row, over the last axis."""
    last = tokens.shape[-1] - size + 1
    found = np.zeros((*tokens.shape[:-1], max(last, 0)), np.uint64)
    for offset in range(size if last > 0 else 0):
        found = found * np.uint64(0x9E3779B97F4A7C15)
        found += tokens[..., offset : offset + last].astype(np.uint64) + np.uint64(1)
        found ^= found >> np.uint64(29)
    return found
