"""Copies of held-out text planted in a tree, in every wrapping, and what the search says of them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import py_compile
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from evaluator.heldout import reading
from evaluator.heldout.search import FORMAT, MANY, SMALL, cached_search, outermost, search, signature
from evaluator.heldout.windows import CHUNK, WINDOW, build
from tests.evaluator.heldout.material import HELD_OUT, SHARED, TRAINING, prose, small_index

COPY = HELD_OUT[700:1000]
NOISE = random.Random(0).randbytes(CHUNK + 3000)


def zipped(data: bytes, kind: int = zipfile.ZIP_DEFLATED, before: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        archive.writestr("first.txt", prose(9, 500))
        archive.writestr("folder/second.bin", data)
    return before + file.getvalue()


Mode = Literal["w", "w:gz", "w:bz2", "w:xz"]


def tarred(data: bytes, mode: Mode) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, content in (("first.txt", prose(9, 500)), ("folder/second.bin", data)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def compiled(data: bytes) -> bytes:
    """Byte code with `data` for a docstring."""
    source = Path("module.py").resolve()
    source.write_bytes(b'def work():\n    """' + data + b'"""\n')
    made = py_compile.compile(str(source), cfile="module.out", doraise=True)
    assert made is not None
    found = Path(made).read_bytes()
    source.unlink()
    Path(made).unlink()
    return found


WRAPPINGS: dict[str, Callable[[bytes], bytes]] = {
    "text": lambda data: b"head\n" + data,
    "exactly one window": lambda data: data[:WINDOW],
    "binary": lambda data: b"\x7fELF" + NOISE[:5003] + data + NOISE[:77],
    "large binary": lambda data: NOISE[: SMALL + 5] + data,
    "across pieces": lambda data: NOISE[: CHUNK - 100] + data + NOISE[:100],
    "byte code": compiled,
    "zip": zipped,
    "zip, stored": lambda data: zipped(data, zipfile.ZIP_STORED),
    "zip, lzma": lambda data: zipped(data, zipfile.ZIP_LZMA),
    "zip with a first line": lambda data: zipped(data, before=b"#!/usr/bin/python3\n"),
    "large zip": lambda data: zipped(NOISE[: SMALL + 9] + data),
    "tar": lambda data: tarred(data, "w"),
    "tar.gz": lambda data: tarred(data, "w:gz"),
    "tar.bz2": lambda data: tarred(data, "w:bz2"),
    "tar.xz": lambda data: tarred(data, "w:xz"),
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zip in tar.gz": lambda data: tarred(zipped(data), "w:gz"),
    "pyz in tar.xz": lambda data: tarred(zipped(data, before=b"#!python\n"), "w:xz"),
    "gz in zip": lambda data: zipped(gzip.compress(data)),
    "tar.gz in zip": lambda data: zipped(tarred(data, "w:gz")),
    "zip in zip": lambda data: zipped(zipped(data)),
    "gz across pieces": lambda data: gzip.compress(NOISE[: CHUNK - 100] + data, 1),
    "gz that ends too early": lambda data: gzip.compress(data + NOISE[:90000])[:-40000],
    "zip with a damaged neighbour": lambda data: zipped(data).replace(prose(9, 500)[:3], b"\xff\xff\xff"),
}


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("how", WRAPPINGS)
def test_a_copy_is_found_in_any_wrapping_and_training_text_is_not(tmp_path: Path, how: str) -> None:
    root = tmp_path / "root"
    (root / "deep" / "er").mkdir(parents=True)
    planted = root / "deep" / "er" / "planted"
    planted.write_bytes(WRAPPINGS[how](COPY))
    (root / "innocent").write_bytes(WRAPPINGS[how](TRAINING[19900:20300]))
    (root / "shared").write_bytes(WRAPPINGS[how](SHARED[:300]))
    assert search([root], small_index()) == (planted,)


def test_neighbours_of_small_files_are_not_blamed_and_pieces_do_not_make_a_window(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(40):
        (root / f"{number}").write_bytes(prose(20 + number, 700))
        (root / f"{number}a").write_bytes(COPY[:40])
        (root / f"{number}b").write_bytes(COPY[40:80])
    (root / "17").write_bytes(prose(1000, 300) + COPY + prose(1001, 300))
    assert search([root], small_index()) == (root / "17",)


def test_links_pipes_and_closed_files_are_passed_over(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "copy").write_bytes(COPY)
    (root / "link").symlink_to(outside / "copy")
    (root / "folder").symlink_to(outside)
    (root / "nowhere").symlink_to("missing")
    (root / "round").symlink_to(root)
    os.mkfifo(root / "pipe")
    (root / "closed").write_bytes(COPY)
    (root / "closed").chmod(0)
    found = search([root, tmp_path / "missing"], small_index())
    assert found == (() if os.geteuid() else (root / "closed",))
    (tmp_path / "alias").symlink_to(outside)
    assert search([tmp_path / "alias"], small_index()) == (outside / "copy",)
    assert search([outside / "copy", outside], small_index()) == (outside / "copy",)
    assert outermost([outside / "copy", root, tmp_path / "alias"]) == [outside, root]


def test_byte_code_goes_with_its_source(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for name in ("copy", "copycat"):
        (root / f"{name}.py").write_bytes(b"# " + prose(30, 90).replace(b"\n", b" ") + b"\nx = 1\n")
    (root / "copy.py").write_bytes(b"# " + COPY.replace(b"\n", b" ")[:90] + b"\n" + b"x = 1\n")
    index = build([(root / "copy.py").read_bytes()], [])
    codes = set()
    for name in ("copy", "copycat"):
        for level in (0, 1, 2):
            codes.add(py_compile.compile(str(root / f"{name}.py"), optimize=level, doraise=True))
    beside = py_compile.compile(str(root / "copy.py"), cfile=str(root / "copy.pyc"), doraise=True)
    assert len(codes) == 6
    wanted = {code for code in codes if "copycat" not in str(code)} | {beside, str(root / "copy.py")}
    assert set(map(str, search([root], index))) == wanted


@pytest.mark.parametrize("count", [MANY, MANY + 1])
def test_a_needless_folder_stands_for_many_files(tmp_path: Path, count: int) -> None:
    folder = tmp_path / "root" / "test"
    (folder / "inner").mkdir(parents=True)
    for number in range(count):
        (folder / "inner" / f"{number}.txt").write_bytes(COPY)
    (tmp_path / "root" / "needed.txt").write_bytes(COPY)
    found = search([tmp_path / "root"], small_index())
    assert (folder in found) == (count > MANY)
    assert len(found) == (2 if count > MANY else count + 1)
    above = search([folder / "inner"], small_index())
    assert folder not in above and len(above) == count, (
        "it lies above what is searched: a clone in a folder of tests"
    )


def test_what_unpacks_to_too_much_counts_as_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "bomb.gz").write_bytes(gzip.compress(bytes(1 << 20)))
    (root / "plain").write_bytes(bytes(1 << 20))
    assert search([root], small_index()) == ()
    monkeypatch.setattr(reading, "LARGEST", 1 << 19)
    assert search([root], small_index()) == (root / "bomb.gz",)


def test_encrypted_and_damaged_archives_stop_nothing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    whole = {"a.zip": zipped(COPY), "b.gz": gzip.compress(COPY), "c.tgz": tarred(COPY, "w:gz")}
    for name, data in whole.items():
        for cut in (5, len(data) // 3, len(data) - 30):
            (root / f"{cut}{name}").write_bytes(data[:cut])
    flagged = bytearray(zipped(COPY))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = flagged.index(header)
        while at >= 0:
            flagged[at + flags] |= 1  # "encrypted"
            at = flagged.find(header, at + 1)
    (root / "secret.zip").write_bytes(flagged)
    (root / "z").write_bytes(COPY)
    found = search([root], small_index())
    assert root / "z" in found and root / "secret.zip" not in found


def test_the_cache_spares_the_search_until_something_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    roots, cache = [tmp_path / "one", tmp_path / "two"], tmp_path / "cache"
    for root in roots:
        (root / "inner").mkdir(parents=True)
        (root / "inner" / "copy.txt").write_bytes(COPY)

    def looks() -> tuple[set[str], bool]:
        found = cached_search(roots, small_index(), cache)
        return {str(path.relative_to(tmp_path)) for path in found}, "looking" in capsys.readouterr().err

    both = {"one/inner/copy.txt", "two/inner/copy.txt"}
    assert looks() == (both, True)
    assert looks() == (both, False)
    files = sorted(cache.iterdir())
    assert len(files) == 2 and all(file.suffix == ".json" for file in files)

    (roots[0] / "inner" / "more.txt").write_bytes(COPY)
    assert looks() == (both | {"one/inner/more.txt"}, True)
    assert looks() == (both | {"one/inner/more.txt"}, False)
    assert sorted(cache.iterdir()) == files

    for harm in (b"", b"{", b'{"format": %d}' % FORMAT, b"[]", b"\xff"):
        files[0].write_bytes(harm)
        assert looks() == (both | {"one/inner/more.txt"}, True)
    assert looks()[1] is False
    cached_search(roots, build([HELD_OUT[:500]], []), cache)
    assert "looking" in capsys.readouterr().err and len(list(cache.iterdir())) == 4


def test_byte_code_that_is_made_later_is_seen_although_the_search_was_cached(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    (root / "__pycache__").mkdir(parents=True)
    (root / "copy.py").write_bytes(b"x = '''" + COPY + b"'''\n")
    cached_search([root], small_index(), tmp_path / "cache")
    made = py_compile.compile(str(root / "copy.py"), doraise=True)
    capsys.readouterr()
    found = cached_search([root], small_index(), tmp_path / "cache")
    assert set(map(str, found)) == {str(root / "copy.py"), made}
    assert capsys.readouterr().err == ""


def test_the_signature_changes_with_the_tree_and_looks_at_few_folders(tmp_path: Path) -> None:
    root = tmp_path / "root"
    deep = root / "lib" / "python" / "site-packages"
    deep.mkdir(parents=True)
    seen = [signature(root)]
    for change in (
        lambda: (deep / "package").mkdir(),
        lambda: (deep / "package-1.dist-info").mkdir(),
        lambda: (deep / "module.py").write_bytes(b""),
        lambda: (deep / "module.py").rename(deep / "other.py"),
        lambda: (deep / "other.py").unlink(),
    ):
        change()
        seen.append(signature(root))
    assert len(set(seen)) == len(seen)
    assert signature(root) == seen[-1]
    (tmp_path / "file").write_bytes(b"one")
    before = signature(tmp_path / "file")
    (tmp_path / "file").write_bytes(b"three")
    assert signature(tmp_path / "file") != before
