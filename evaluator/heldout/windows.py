"""An index of held-out text: every window of 64 bytes that no training text has.

What has such a window carries held-out text; what has none may still have boilerplate that training text
shares. The index answers for source files and for gigabytes of binaries alike: words of 8 bytes are looked up
first, and what survives that is compared byte by byte.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from evaluator.heldout.hashing import Filter, Hashes, Places, places, rolling
from evaluator.whole import written

WINDOW = 64  # bytes
# At least seven words of 8 bytes that begin at multiples of 8 lie whole in every window, and so does a block of
# four of them of which the first stands at a multiple of three.
WORD = 8
STRIDE = 3
BLOCK = (STRIDE + 1) * WORD
REACH = WINDOW - BLOCK  # no window with a block in it begins or ends farther away
CHUNK = 1 << 22  # bytes looked at in one go
FEW = 1 << 18  # bytes whose every place is looked up sooner than the index has made its filters

FORMAT = 2
_IN_WORDS = np.isin(np.arange(256), list(b"0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
_BASE = np.uint64(0x9E3779B97F4A7C15)


class WindowIndex:
    """Windows of held-out text. `texts` is all of it, one text after the other; `starts` are the places where
    windows begin, one for each different window, in the order of their hashes.

    `words` is the same for the text without blanks and punctuation: a second index, which has none itself.
    """

    def __init__(self, texts: NDArray[np.uint8], starts: Places, words: WindowIndex | None = None) -> None:
        self.texts = texts
        self.starts = starts
        self.words = words
        self._views = sliding_window_view(texts, WINDOW) if len(texts) >= WINDOW else np.empty((0, WINDOW))
        self._hashes = rolling(texts, WINDOW)[starts]

    @cached_property
    def _filter(self) -> Filter:
        return Filter.of(self._hashes)

    @cached_property
    def _words(self) -> Filter:
        return Filter.of(_words(self.texts, _inside_windows(self.texts, self.starts, WORD)))

    @cached_property
    def _blocks(self) -> Filter:
        at = _inside_windows(self.texts, self.starts, BLOCK)
        return Filter.of(_blocks([_words(self.texts, at + WORD * place) for place in range(STRIDE + 1)]))

    def __len__(self) -> int:
        """The number of different windows."""
        return len(self.starts)

    @cached_property
    def digest(self) -> str:
        """A name for the set of windows: the same text and training data give the same one."""
        whole = hashlib.sha256(f"{FORMAT} {WINDOW} {len(self)} ".encode())
        whole.update(self.texts.tobytes())
        whole.update(self.starts.astype("<i8").tobytes())
        return whole.hexdigest()

    def matches(self, data: bytes | bytearray | memoryview) -> tuple[Places, Places]:
        """Return where windows of the index begin in `data`, and which they are (numbers below `len`)."""
        view = memoryview(data)
        offsets: list[Places] = [np.empty(0, np.int64)]
        which: list[Places] = [np.empty(0, np.int64)]
        for start in range(0, len(view), CHUNK):
            piece = np.frombuffer(view[start : start + CHUNK + WINDOW - 1], np.uint8)
            near = np.arange(len(piece)) if len(view) <= FEW else self._near(piece)
            if len(near) >= WINDOW:
                at, found = self._exactly(piece, near)
                offsets.append(at + start)
                which.append(found)
        return np.concatenate(offsets), np.concatenate(which)

    def finds(self, data: bytes | bytearray | memoryview) -> list[tuple[int, int]]:
        """Return the parts of `data` that windows of the index cover: [(start, end), ...], none touching."""
        return spans(self.matches(data)[0])

    def holds(self, data: bytes | bytearray | memoryview) -> bool:
        """Return whether `data` has any window of the index."""
        return bool(len(self.matches(data)[0]))

    def _near(self, piece: NDArray[np.uint8]) -> Places:
        """Return the places of `piece` around which windows may lie, sorted."""
        words = piece[: len(piece) // WORD * WORD].view("<u8")
        sampled = self._words.may_hold(words[::STRIDE])
        first: Places = np.flatnonzero(sampled[:-1] & sampled[1:]) * STRIDE
        if not len(first):
            return first
        blocks = _blocks([words[first + place] for place in range(STRIDE + 1)])
        begins = first[self._blocks.may_hold(blocks)] * WORD
        around = _joined((begins - REACH).clip(0), (begins + BLOCK + REACH).clip(0, len(piece)))
        return np.concatenate([np.empty(0, np.int64), *(np.arange(low, high) for low, high in around)])

    def _exactly(self, piece: NDArray[np.uint8], near: Places) -> tuple[Places, Places]:
        """Return places and numbers of the windows among the bytes `near`, each compared with the text itself."""
        hashes = rolling(piece[near], WINDOW)
        few = len(hashes) <= FEW
        at = np.arange(len(hashes)) if few else np.flatnonzero(self._filter.may_hold(hashes))
        found = places(hashes[at], self._hashes)
        at, found = at[found >= 0], found[found >= 0]
        whole = near[at + WINDOW - 1] == near[at] + WINDOW - 1  # not from one part of `near` into the next
        at, found = near[at[whole]], found[whole]
        if len(at):
            same = (sliding_window_view(piece, WINDOW)[at] == self._views[self.starts[found]]).all(axis=1)
            at, found = at[same], found[same]
        return at, found

    def save(self, path: Path) -> None:
        """Write the index to one file (numpy's .npz without pickles), all of it or nothing."""
        inner = np.empty(0, np.int64) if self.words is None else self.words.starts
        with written(path) as file:
            np.savez(file, format=FORMAT, texts=self.texts, starts=self.starts, words=inner)

    @classmethod
    def load(cls, path: Path) -> WindowIndex:
        """Read what `save` wrote.

        Raises `ValueError` if the file is damaged or of another version, `OSError` if it can't be read.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                if int(file["format"]) != FORMAT:
                    raise ValueError("of another version")
                texts = file["texts"].astype(np.uint8).reshape(-1)
                words = cls(*_checked(squeezed(texts), file["words"].astype(np.int64)))
                return cls(*_checked(texts, file["starts"].astype(np.int64)), words)
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path}: no whole index of held-out text: {error}") from None


def build(held_out: Sequence[bytes], training: Sequence[bytes]) -> WindowIndex:
    """Return the index of all windows of the `held_out` texts that no `training` text has.

    A window never reaches from one text into the next. Training texts are looked at in pieces, so that they
    may be large. Of windows that are the same the first stands for all.
    """
    texts = [np.frombuffer(text, np.uint8) for text in held_out]
    known = [np.frombuffer(text, np.uint8) for text in training]
    words = _built([squeezed(text) for text in texts], (squeezed(text) for text in known))
    return WindowIndex(*_built(texts, known), WindowIndex(*words))


def squeezed(text: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a text's letters, digits and underscores."""
    return text[_IN_WORDS[text]]


def _built(
    held_out: Sequence[NDArray[np.uint8]], training: Iterable[NDArray[np.uint8]]
) -> tuple[NDArray[np.uint8], Places]:
    """Return all of `held_out`, and where the windows begin that `training` lacks, in the order of hashes."""
    texts = np.concatenate([np.empty(0, np.uint8), *held_out])
    hashes = rolling(texts, WINDOW)
    ends = list(accumulate(len(text) for text in held_out))
    inside = [np.arange(end - len(text), end - WINDOW + 1) for text, end in zip(held_out, ends, strict=True)]
    whole = np.concatenate([np.empty(0, np.int64), *inside])
    if not len(whole):
        return texts, whole
    known, first, back = np.unique(hashes[whole], return_index=True, return_inverse=True)
    stands = whole[first]  # for each different hash the first window that has it
    shared = _shared(texts, known, stands, training)
    views = sliding_window_view(texts, WINDOW)
    # Two different windows with one hash: only that which was compared is known to be shared.
    others = np.flatnonzero(shared[back])
    differs = (views[whole[others]] != views[stands[back[others]]]).any(axis=1)
    shared[back[others[differs]]] = False
    return texts, stands[~shared]


def spans(offsets: Places, width: int = WINDOW) -> list[tuple[int, int]]:
    """Join windows of `width` that begin at the sorted `offsets` to [(start, end), ...]."""
    return _joined(offsets, offsets + width)


def _shared(
    texts: NDArray[np.uint8], known: Hashes, stands: Places, training: Iterable[NDArray[np.uint8]]
) -> NDArray[np.bool_]:
    """Return which of the windows at `stands` (their hashes are `known`, sorted) a training text has."""
    shared: NDArray[np.bool_] = np.zeros(len(known), np.bool_)
    quick, views = Filter.of(known), sliding_window_view(texts, WINDOW)
    for text in training:
        for start in range(0, len(text) - WINDOW + 1, CHUNK):
            piece = text[start : start + CHUNK + WINDOW - 1]
            hashes = rolling(piece, WINDOW)
            at = np.flatnonzero(quick.may_hold(hashes))
            found = places(hashes[at], known)
            at, found = at[found >= 0], found[found >= 0]
            same = (sliding_window_view(piece, WINDOW)[at] == views[stands[found]]).all(axis=1)
            shared[found[same]] = True
    return shared


def _inside_windows(texts: NDArray[np.uint8], starts: Places, size: int) -> Places:
    """Return where the parts of `size` bytes begin that lie whole in a window."""
    edges: Places = np.zeros(len(texts) + 1, np.int64)
    np.add.at(edges, starts, 1)
    np.add.at(edges, starts + (WINDOW - size + 1), -1)
    return np.flatnonzero(np.cumsum(edges[:-1]))


def _words(texts: NDArray[np.uint8], at: Places) -> Hashes:
    """Return the words that begin at the places `at`, whatever their alignment."""
    if not len(at):
        return np.empty(0, np.uint64)
    every = np.ndarray(len(texts) - WORD + 1, "<u8", np.ascontiguousarray(texts), strides=(1,))
    return every[at].astype(np.uint64)


def _blocks(words: list[Hashes]) -> Hashes:
    """Return the hashes of blocks from their words."""
    blocks = words[0].astype(np.uint64)
    for each in words[1:]:
        blocks = blocks * _BASE + each
    return blocks


def _checked(texts: NDArray[np.uint8], starts: Places) -> tuple[NDArray[np.uint8], Places]:
    """Return both; raise `ValueError` if they are not what an index is made of."""
    if starts.ndim != 1 or (len(starts) and not (starts.min() >= 0 and starts.max() + WINDOW <= len(texts))):
        raise ValueError("windows outside of the text")
    hashes = rolling(texts, WINDOW)[starts]
    if not (hashes[1:] > hashes[:-1]).all():
        raise ValueError("windows out of order")
    return texts, starts


def _joined(low: Places, high: Places) -> list[tuple[int, int]]:
    """Join parts that touch or overlap; `low` and `high` are sorted."""
    if not len(low):
        return []
    gaps = np.flatnonzero(low[1:] > high[:-1])
    begins = low[np.concatenate([[0], gaps + 1])]
    ends = high[np.concatenate([gaps, [len(high) - 1]])]
    return list(zip(begins.tolist(), ends.tolist(), strict=True))
