"""Held-out text and validation tokens in every disguise that a diff may give them."""

from __future__ import annotations

import base64
import bz2
import gzip
import importlib.util
import json
import lzma
import random
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bot.agents.review import review
from evaluator import starter_files
from evaluator.heldout import disguises
from evaluator.heldout.leak import copied
from evaluator.heldout.spelled import RUN
from tests.evaluator.heldout.material import (
    HELD_OUT,
    SHARED,
    TRAINING,
    prose,
    small_index,
    starter_index,
    starter_prepare,
    starter_splits,
)
from tests.families import few

COPY = HELD_OUT[500:1100]
ROWS = np.random.default_rng(0).integers(0, 512, (300, 128), dtype=np.int32)
IDS = ROWS[7, 30:70].tolist()
TRAIN = (starter_files.FOLDER / "train.py").read_bytes()


def assigned(value: object) -> bytes:
    return f"DATA = {value!r}\n".encode()


def lines(data: bytes) -> str:
    return "[\n" + "".join(f"    {line!r},\n" for line in data.decode().splitlines()) + "]"


TEXTS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda data: b'"""\n' + data + b'\n"""\n',
    "in a comment": lambda data: b"# " + data.replace(b"\n", b"\n    # ") + b"\n",
    "escaped": lambda data: assigned(data),
    "escaped to the last byte": lambda data: (
        b'x = "%s"\n' % "".join(f"\\x{byte:02x}" for byte in data).encode()
    ),
    "octal bytes": lambda data: b'x = b"%s"\n' % "".join(f"\\{byte:03o}" for byte in data).encode(),
    "a list of lines": lambda data: f"x = {lines(data)}\n".encode(),
    "short pieces": lambda data: assigned([data[at : at + 20] for at in range(0, len(data), 20)]),
    "words": lambda data: assigned(data.decode().split()),
    "a sum": lambda data: (
        b"x = " + b" + ".join(repr(data[at : at + 30]).encode() for at in range(0, 600, 30))
    ),
    "calls": lambda data: "".join(f"add({data[at : at + 15]!r})\n" for at in range(0, 600, 15)).encode(),
    "dense": lambda data: assigned(data.translate(None, b" ,.\n")),
    "indented anew": lambda data: (
        b"x = '''\n\t\t" + data.replace(b"\n", b"\n\t\t").replace(b" ", b"   ") + b"'''"
    ),
    "backwards": lambda data: assigned(data[::-1]),
    "base64": lambda data: assigned(base64.b64encode(data)),
    "base64 in lines": lambda data: b'x = """\n' + base64.encodebytes(data) + b'"""\n',
    "base64 in pieces": lambda data: assigned(
        [base64.b64encode(data)[at : at + 60].decode() for at in range(0, 800, 60)]
    ),
    "base64 in a comment": lambda data: b"# " + base64.encodebytes(data).replace(b"\n", b"\n# ") + b"\n",
    "base64, urlsafe, without its end": lambda data: assigned(
        base64.urlsafe_b64encode(data[:-1]).rstrip(b"=")
    ),
    "base32": lambda data: assigned(base64.b32encode(data).decode()),
    "base85": lambda data: assigned(base64.b85encode(data).decode()),
    "ascii85": lambda data: assigned(base64.a85encode(data, adobe=True).decode()),
    "hex": lambda data: assigned(data.hex(" ")),
    "zlib": lambda data: assigned(zlib.compress(data)),
    "zlib in base64": lambda data: assigned(base64.b64encode(zlib.compress(data)).decode()),
    "zlib in base85, backwards": lambda data: assigned(base64.b85encode(zlib.compress(data))[::-1].decode()),
    "gzip in hex": lambda data: assigned(gzip.compress(data).hex()),
    "bz2 in base64": lambda data: assigned(base64.b64encode(bz2.compress(data))),
    "xz in base85": lambda data: assigned(base64.b85encode(lzma.compress(data))),
    "raw deflate": lambda data: assigned(zlib.compress(data)[2:-4]),
    "a large number": lambda data: b"x = " + hex(int.from_bytes(data, "big")).encode(),
    "a list of bytes": lambda data: assigned(list(data)),
    "json": lambda data: json.dumps({"text": data.decode(), "also": "more"}).encode(),
    "another language": lambda data: b'char *x = "' + data.replace(b"\n", b'\\n"\n    "') + b'";',
    "base64 in no language": lambda data: base64.b64encode(data) + b"\n",
}


@pytest.mark.parametrize("how", few(TEXTS, 8, in_ci=16))
def test_held_out_text_is_seen_in_any_disguise_and_training_text_in_none(how: str) -> None:
    source = TRAIN + TEXTS[how](COPY)
    if how.startswith(("json", "another", "base64 in no")):
        source = TEXTS[how](COPY)
    said = copied({"train.py": source}, small_index(), ROWS)
    assert said and all(line.startswith("train.py") and "\n" not in line for line in said)
    assert not any(COPY[at : at + 12].decode() in line for line in said for at in range(len(COPY) - 12))
    innocent = b"".join(map(TEXTS[how], (SHARED[100:700], TRAINING[:600], prose(50, 600))))
    assert copied({"train.py": TRAIN + innocent}, small_index(), ROWS) == []


NUMBERS: dict[str, Callable[[list[int]], bytes]] = {
    "a list": lambda ids: assigned(ids),
    "a tuple over lines": lambda ids: b"x = (\n" + b",\n    ".join(b"%d" % each for each in ids) + b",\n)\n",
    "pairs": lambda ids: assigned([tuple(ids[at : at + 2]) for at in range(0, len(ids), 2)]),
    "with places": lambda ids: assigned(dict(enumerate(ids))),
    "hexadecimal": lambda ids: ("x = [" + ", ".join(map(hex, ids)) + "]").encode(),
    "floats": lambda ids: assigned([float(each) for each in ids]),
    "a string": lambda ids: assigned(" ".join(map(str, ids))),
    "a string with signs": lambda ids: assigned("|".join(map(str, ids))),
    "strings": lambda ids: assigned([str(each) for each in ids]),
    "a comment": lambda ids: b"# " + b", ".join(b"%d" % each for each in ids),
    "fixed width": lambda ids: assigned("".join(f"{each:03d}" for each in ids)),
    "an offset": lambda ids: assigned([each + 1000 for each in ids]),
    "thousandths": lambda ids: assigned([each / 1000 for each in ids]),
    "binary fractions": lambda ids: assigned([each / 256 for each in ids]),
    "fractions with a sign and places": lambda ids: assigned({at: -each / 8 for at, each in enumerate(ids)}),
    "sevenfold and three more": lambda ids: assigned([7 * each + 3 for each in ids]),
    "a negative multiple": lambda ids: assigned([-3 * each for each in ids]),
    "steps": lambda ids: assigned([b - a for a, b in pairwise(ids)]),
    "backwards": lambda ids: assigned(ids[::-1]),
    "characters": lambda ids: assigned("".join(chr(each + 0x4E00) for each in ids)),
    "two bytes each": lambda ids: assigned(np.array(ids, "<i2").tobytes()),
    "two bytes each, turned": lambda ids: assigned(np.array(ids, ">i2").tobytes()),
    "four bytes each": lambda ids: assigned(b"\x01" + np.array(ids, "<i4").tobytes()),
    "two bytes in base64": lambda ids: assigned(base64.b64encode(np.array(ids, "<i2").tobytes())),
    "four bytes in zlib in hex": lambda ids: assigned(zlib.compress(np.array(ids, "<i4").tobytes()).hex()),
    "json": lambda ids: json.dumps({"ids": ids}).encode(),
}


@pytest.mark.parametrize("how", few(NUMBERS, 6, in_ci=13))
def test_validation_tokens_are_seen_however_they_are_spelled(how: str) -> None:
    source = TRAIN + NUMBERS[how](IDS)
    said = copied({"train.py": source}, small_index(), ROWS)
    assert len(said) == 1 and said[0].startswith("train.py: ") and "tokens" in said[0]
    others = np.random.default_rng(1).integers(0, 512, 40).tolist()
    assert copied({"train.py": TRAIN + NUMBERS[how](others)}, small_index(), ROWS) == []


def test_no_limit_of_the_review_refuses_any_of_these_disguises_so_the_search_is_needed() -> None:
    """What is copied is short: no string is long, no list has many numbers, and little is added."""
    before, changed = "BATCH_SIZE = 16\n", "BATCH_SIZE = 32\n"
    disguised = {how: write(COPY[:240]) for how, write in TEXTS.items()}
    disguised |= {f"tokens, {how}": write(IDS) for how, write in NUMBERS.items()}
    for how, added in disguised.items():
        other = "data.txt" if how.startswith("another") else "train.py"
        base = {"train.py": before, "data.txt": ""}
        proposed = {"train.py": changed} | {other: ("" if other == "data.txt" else changed) + added.decode()}
        assert review(editable=list(base), base=base, proposed=proposed, tried={}).approved, how


@pytest.mark.parametrize(("count", "caught"), [(RUN - 1, False), (RUN, True)])
def test_a_run_of_tokens_has_a_length(count: int, caught: bool) -> None:
    assert bool(copied({"train.py": assigned(IDS[:count])}, small_index(), ROWS)) == caught


def test_numbers_that_repeat_or_count_are_no_text() -> None:
    rows = ROWS.copy()
    rows[0], rows[1] = 7, np.arange(128)
    rows[2] = np.tile([5, 9], 64)
    lists = [[7] * 128, list(range(128)), [5, 9] * 60, list(range(1000, 1200)), [0] * 500]
    assert copied({"train.py": b"".join(map(assigned, lists))}, small_index(), rows) == []


def test_rows_are_looked_through_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluator.heldout.spelled.AT_ONCE", 1000)
    flat = ROWS.reshape(-1)
    for start in (0, 950, 977, 990, 1000, 2010, len(flat) - RUN):
        assert copied({"a": assigned(flat[start : start + RUN].tolist())}, small_index(), ROWS), start


def test_what_the_incumbent_carries_is_no_offence_and_what_is_added_is() -> None:
    first, more = b'A = """' + COPY[:200] + b'"""\n', b'B = """' + COPY[300:500] + b'"""\n'
    old = TRAIN + first + assigned(IDS[:30])
    for base in ({"train.py": old}, {"other.py": first, "third.py": assigned(IDS[:30])}):
        assert copied({"train.py": b"# moved\n" + old}, small_index(), ROWS, base) == []
        assert copied({"train.py": assigned(base64.b64encode(COPY[:200]))}, small_index(), ROWS, base) == []
        said = copied({"train.py": old + more}, small_index(), ROWS, base)
        line = 1 + (old + more).count(b"\n", 0, len(old))
        assert len(said) >= 1 and said[0].startswith(f"train.py:{line}: 200 bytes")
        assert copied({"train.py": old + assigned(IDS)}, small_index(), ROWS, base)


def test_each_file_is_named_and_clean_ones_are_not() -> None:
    said = copied({"a.py": COPY, "b.py": TRAIN, "c/d.py": assigned(IDS)}, small_index(), ROWS)
    assert [line.split(":")[0] for line in said] == ["a.py", "c/d.py"]


def test_strings_that_unpack_to_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disguises, "ALTOGETHER", 1 << 20)
    bomb = assigned(zlib.compress(bytes(1 << 21)))
    assert "unpack" in copied({"train.py": bomb}, small_index(), ROWS)[0]
    assert copied({"train.py": assigned(zlib.compress(bytes(1 << 19)))}, small_index(), ROWS) == []


def starter_rows() -> NDArray[np.int32]:
    prepare = starter_prepare()
    tokenizer = prepare.Tokenizer.from_directory()
    return np.stack([next(prepare.make_dataloader(tokenizer, 64, 128, "val"))[0].numpy()]).reshape(-1, 128)


@pytest.mark.long
def test_nothing_is_said_of_the_starter_of_torch_and_of_training_text() -> None:
    torch = importlib.util.find_spec("torch")
    assert torch is not None and torch.origin is not None
    files = sorted(path for path in Path(torch.origin).parent.rglob("*.py") if path.stat().st_size < 8000)
    sample = random.Random(0).sample(files, 100)
    sources = {str(path): path.read_bytes() for path in sample}
    sources |= {
        name: (starter_files.FOLDER / name).read_bytes() for name in ("train.py", "prepare.py", "program.md")
    }
    sources |= dict(random.Random(1).sample(starter_splits()["train"], 20))
    assert copied(sources, starter_index(), starter_rows().astype(np.int32)) == []


@pytest.mark.long
def test_each_held_out_file_of_the_starter_is_known() -> None:
    splits, rows = starter_splits(), starter_rows().astype(np.int32)
    for name, text in splits["val"] + splits["vault"]:
        assert copied({name: text[len(text) // 2 :][:400]}, starter_index(), rows), name
    assert copied({"ids.py": assigned(rows[3].tolist())}, starter_index(), rows)
