"""Whether the files of a diff carry held-out text, so that a run could learn or recite it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from evaluator.heldout.disguises import Text, TooMuch, texts
from evaluator.heldout.hashing import Hashes, Places, distinct, places
from evaluator.heldout.spelled import RUN, Rows
from evaluator.heldout.windows import WindowIndex, spans, squeezed

# Windows of indentation and rulers are in any program: a span with fewer letters and digits says nothing.
TELLING = 40

_SPACING = ("", "with other spacing or punctuation")


def copied(
    sources: Mapping[str, bytes],
    index: WindowIndex,
    rows: NDArray[np.int32],
    base: Mapping[str, bytes] | None = None,
) -> list[str]:
    """Return why the files `sources` (name to text) carry held-out text: a line for each that does.

    `index` is of validation and vault text, `rows` (n, T) are the token ids of validation. Looked for is text
    as it is, with other spacing and punctuation, backwards, in strings put together or unpacked, and RUN
    tokens in a row spelled as numbers, with or without an offset, or packed in strings. What the files `base`
    carry already is no offence. The lines name files and never quote them.
    """
    ids = Rows(rows)
    windows, spelled = _carried(base or {}, index, ids)
    reasons = (_reason(name, source, index, ids, windows, spelled) for name, source in sources.items())
    return [reason for reason in reasons if reason]


def _reason(
    name: str, source: bytes, index: WindowIndex, ids: Rows, windows: tuple[Places, Places], spelled: Hashes
) -> str:
    held: list[bytes] = []
    try:
        for text in texts(source):
            held.append(text.data)
            for kind, data, offsets, which in _matches(text.data, index):
                fresh = offsets[~np.isin(which, windows[kind])]
                length = _told(data, fresh)
                if length:
                    how = " ".join(part for part in (text.how, _SPACING[kind]) if part)
                    place = _place(name, text, data, int(fresh[0]))
                    return f"{place}: {length} bytes of held-out text {how}".rstrip()
    except TooMuch as error:
        return f"{name}: {error}: they can't be looked through for held-out text"
    runs = ids.candidates(b"\n".join(held))
    found = ids.matching(runs[places(runs, spelled) < 0])
    return (
        f"{name}: spells out about {len(found) + RUN - 1} validation tokens as numbers" if len(found) else ""
    )


def _carried(
    base: Mapping[str, bytes], index: WindowIndex, ids: Rows
) -> tuple[tuple[Places, Places], Hashes]:
    """Return the windows of either kind that `base` carries already, and the hashes of its runs of numbers."""
    windows: tuple[list[Places], ...] = ([np.empty(0, np.int64)], [np.empty(0, np.int64)])
    listed: list[Hashes] = [np.empty(0, np.uint64)]
    for source in base.values():
        with contextlib.suppress(TooMuch):
            for text in texts(source):
                listed.append(ids.candidates(text.data))
                for kind, _, _, which in _matches(text.data, index):
                    windows[kind].append(which)
    return (np.concatenate(windows[0]), np.concatenate(windows[1])), distinct(np.concatenate(listed))


def _matches(data: bytes, index: WindowIndex) -> Iterator[tuple[int, bytes, Places, Places]]:
    """Yield (kind, text, offsets, windows) forwards and backwards, for the text and for its words alone."""
    narrow = squeezed(np.frombuffer(data, np.uint8)).tobytes()
    for kind, given, searched in ((0, data, index), (1, narrow, index.words)):
        for turned in (given, given[::-1]):
            if searched is not None:
                yield kind, turned, *searched.matches(turned)


def _told(data: bytes, offsets: Places) -> int:
    """Return how many bytes of `data` the windows that begin at `offsets` cover, where they say something."""
    seen = np.frombuffer(data, np.uint8)
    telling = [part for part in spans(offsets) if len(squeezed(seen[slice(*part)])) >= TELLING]
    return sum(end - start for start, end in telling)


def _place(name: str, text: Text, data: bytes, first: int) -> str:
    if data is text.data and not text.how:
        line = 1 + data.count(b"\n", 0, first)
        return f"{name}:{line}"
    return name
