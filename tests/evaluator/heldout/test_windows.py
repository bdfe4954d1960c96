"""The index against plain sets of windows, and its file."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evaluator.heldout import windows
from evaluator.heldout.windows import CHUNK, WINDOW, WindowIndex, build
from tests.evaluator.heldout.material import (
    HELD_OUT,
    SHARED,
    TRAINING,
    prose,
    small_index,
    starter_index,
    starter_splits,
)


@pytest.fixture(params=[0, windows.FEW], ids=["by its filters", "place by place"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Search both ways: little data is looked up place by place, and much is not."""
    monkeypatch.setattr(windows, "FEW", request.param)


def windows_of(text: bytes) -> set[bytes]:
    return {text[at : at + WINDOW] for at in range(len(text) - WINDOW + 1)}


def covered(data: bytes, wanted: set[bytes]) -> list[tuple[int, int]]:
    """What `finds` should say, by the slow and obvious way."""
    joined: list[tuple[int, int]] = []
    for at in range(len(data) - WINDOW + 1):
        if data[at : at + WINDOW] in wanted:
            if joined and joined[-1][1] >= at:
                joined[-1] = (joined[-1][0], at + WINDOW)
            else:
                joined.append((at, at + WINDOW))
    return joined


def test_the_index_holds_exactly_the_windows_that_training_lacks() -> None:
    texts = [HELD_OUT + SHARED, prose(5, 100), b"short", b"", SHARED[100:300], HELD_OUT[:200]]
    index = build(texts, [TRAINING, b"", b"x" * 63])
    wanted = set().union(*map(windows_of, texts)) - windows_of(TRAINING)
    assert len(index) == len(wanted)
    assert {index.texts[at : at + WINDOW].tobytes() for at in index.starts.tolist()} == wanted


def test_found_spans_are_those_of_a_plain_search() -> None:
    index = small_index()
    wanted = windows_of(HELD_OUT + SHARED) - windows_of(TRAINING)
    draw = random.Random(0)
    for _ in range(60):
        parts = [prose(draw.randrange(100, 200), draw.randrange(200))]
        for _ in range(draw.randrange(4)):
            start, size = draw.randrange(4900), draw.randrange(50, 200)
            parts += [(HELD_OUT + SHARED)[start : start + size], draw.randbytes(draw.randrange(40))]
        data = b"".join(parts)
        assert index.finds(data) == covered(data, wanted)
        assert index.holds(data) == bool(covered(data, wanted))


@pytest.mark.parametrize("shift", range(9))
def test_one_window_is_found_at_any_alignment(shift: int) -> None:
    index = small_index()
    data = b"\x00" * (1000 + shift) + HELD_OUT[500 : 500 + WINDOW] + b"\xff" * 77
    assert index.finds(data) == [(1000 + shift, 1000 + shift + WINDOW)]
    assert index.finds(data[: 1000 + shift + WINDOW - 1]) == []


def test_no_window_reaches_from_one_held_out_text_into_the_next() -> None:
    index = build([HELD_OUT[:1000], prose(6, 1000)], [])
    assert not index.holds(HELD_OUT[1000 - 63 : 1000] + prose(6, 63))


def test_pieces_of_long_data_lose_no_window_and_share_none() -> None:
    index = small_index()
    noise = random.Random(1).randbytes(2 * CHUNK)
    for at in (CHUNK - WINDOW, CHUNK - 30, CHUNK - 1, CHUNK, 2 * CHUNK - WINDOW):
        data = noise[:at] + HELD_OUT[100 : 100 + WINDOW] + noise[at + WINDOW :]
        assert index.finds(data) == [(at, at + WINDOW)]
    long_training = noise[: CHUNK - 30] + HELD_OUT[100 : 100 + WINDOW] + noise[:100]
    assert len(build([HELD_OUT], [long_training])) == len(build([HELD_OUT], [])) - 1


@pytest.mark.long
def test_no_training_text_of_the_bundled_task_has_a_window_and_each_held_out_file_has() -> None:
    index, splits = starter_index(), starter_splits()
    assert not [name for name, text in splits["train"] if index.holds(text)]
    for name, text in splits["val"] + splits["vault"]:
        assert sum(end - start for start, end in index.finds(text)) > 0.5 * len(text), name


def test_an_index_of_nothing_finds_nothing(tmp_path: Path) -> None:
    for index in (build([], [TRAINING]), build([b"short"], []), build([SHARED], [TRAINING])):
        assert len(index) == 0 and index.finds(HELD_OUT) == []
        index.save(tmp_path / "empty.npz")
        assert len(WindowIndex.load(tmp_path / "empty.npz")) == 0


def test_what_was_saved_is_loaded_again(tmp_path: Path) -> None:
    index = small_index()
    index.save(tmp_path / "index.npz")
    again = WindowIndex.load(tmp_path / "index.npz")
    assert again.digest == index.digest != build([HELD_OUT], [TRAINING]).digest
    assert again.finds(b"x" + HELD_OUT) == index.finds(b"x" + HELD_OUT)
    assert [path.name for path in tmp_path.iterdir() if path.name != "tmp"] == ["index.npz"]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def _swap(path: Path) -> None:
    with np.load(path) as file:
        np.savez(path, **{**file, "starts": file["starts"][::-1]})


def _outside(path: Path) -> None:
    with np.load(path) as file:
        np.savez(path, **{**file, "texts": file["texts"][:100]})


def _other_version(path: Path) -> None:
    with np.load(path) as file:
        np.savez(path, **{**file, "format": np.int64(1)})


def _pickled(path: Path) -> None:
    with np.load(path) as file:
        np.savez(path, **{**file, "texts": np.array([Path("x")], object)})


@pytest.mark.parametrize("harm", [_cut, _swap, _outside, _other_version, _pickled])
def test_a_damaged_file_is_refused(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    path = tmp_path / "index.npz"
    small_index().save(path)
    harm(path)
    with pytest.raises(ValueError, match="index"):
        WindowIndex.load(path)


@pytest.mark.long
def test_binaries_are_looked_through_about_as_fast_as_they_are_hashed() -> None:
    data, index = random.Random(2).randbytes(1 << 25), starter_index()

    def seconds(work: Callable[[bytes], object]) -> float:
        times = []
        for _ in range(5):
            began = time.process_time()
            work(data)
            times.append(time.process_time() - began)
        return min(times)

    assert seconds(index.holds) < 4 * seconds(lambda data: hashlib.sha256(data).digest())
