"""The texts that a source file holds: as it is, in its strings put together, unpacked, spelled as numbers.

Nothing here runs the file. What it would make at run time out of less regular pieces stays unseen; seen is what
strings, lists of strings and the usual encodings can carry.
"""

from __future__ import annotations

import ast
import base64
import bz2
import lzma
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

SHORTEST = 40  # bytes of a packed text that are worth unpacking
LAYERS = 3  # zlib in base64 in hex
LARGEST = 1 << 24  # bytes that are looked at of what one string unpacks to
ALTOGETHER = 1 << 26  # bytes that all strings of a file may unpack to

_COMMENT = re.compile(rb"(?m)^[ \t]*(?:#+|//+|--|;+|\*)[ \t]?")
_QUOTED = re.compile(rb"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ENCODED = re.compile(rb"[A-Za-z0-9+/=_\-\n]{%d,}" % SHORTEST)
_BLANKS = b" \t\r\n\v\f"
_NUMBER = re.compile(rb"(?<![\w.])-?(?:0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*)(?!\w|\.\d*[1-9])")


class TooMuch(Exception):
    """More comes out of a file's strings than anybody would look at."""


@dataclass(frozen=True)
class Text:
    """What a file holds, and in words where; "" for the file as it is."""

    data: bytes
    how: str = ""


def texts(source: bytes) -> Iterator[Text]:
    """Yield the texts in `source`, which may be Python or anything else.

    Raises `TooMuch` if its strings unpack to more than ALTOGETHER bytes.
    """
    yield Text(source)
    uncommented = _COMMENT.sub(b"", source)
    yield Text(uncommented, "in its comments")
    strings, groups = _strings(source)
    for between in (b"", b"\n", b" "):
        yield Text(between.join(strings), "in its strings, put together")
    yield Text(_characters(numbers(source)), "in its numbers, read as characters")
    unpacked, size = [], 0
    for data in chain(strings, groups, _ENCODED.findall(source), _ENCODED.findall(uncommented)):
        for found in chain(_unpacked(data), _unpacked(data[::-1])):
            unpacked.append(found)
            size += len(found)
            if size > ALTOGETHER:
                raise TooMuch(f"its strings unpack to more than {ALTOGETHER >> 20} MB")
    yield Text(b"\0".join(unpacked), "in what its strings unpack to")


def numbers(text: bytes) -> NDArray[np.int64]:
    """Return the integers that are written out in `text`, in order, whatever stands between them."""
    return np.array([_integer(word.decode()) for word in _NUMBER.findall(text)], np.int64)


def _integer(word: str) -> int:
    try:
        value = int(word, 0 if word.lstrip("-")[1:2].lower() in ("x", "o", "b") else 10)
    except ValueError:  # thousands of digits, or underscores in wrong places
        return 0
    return value if abs(value) < 1 << 62 else 0


def _characters(values: NDArray[np.int64]) -> bytes:
    known: NDArray[np.uint8] = np.where((values >= 0) & (values < 256), values, 0).astype(np.uint8)
    return bytes(known)


def _strings(source: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return all strings of `source` in order, and those of each expression that has several, put together."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # not Python
            return [_unescaped(found[1] or found[2] or b"") for found in _QUOTED.finditer(source)], []
    groups: list[bytes] = []
    inside: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp):
            inside.update((node.left, node.right))  # their strings are those of the whole sum
        if isinstance(node, _SEVERAL) and not (isinstance(node, ast.BinOp) and node in inside):
            parts = _constants(node)
            if len(parts) > 1:
                groups.append(b"".join(parts))
    return _constants(tree), groups


_SEVERAL = (ast.BinOp, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Call, ast.JoinedStr)


def _constants(tree: ast.AST) -> list[bytes]:
    """Return the strings under `tree` in the order of the source; long integers count as strings of bytes."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    return [data for node in found for data in _data(node.value)]


def _data(value: object) -> Iterator[bytes]:
    if isinstance(value, str):
        yield value.encode("utf-8", errors="surrogatepass")
    elif isinstance(value, bytes):
        yield value
    elif isinstance(value, int) and value.bit_length() > 8 * SHORTEST:
        size = value.bit_length() // 8 + 1
        yield value.to_bytes(size, "big")
        yield value.to_bytes(size, "little")


def _unescaped(quoted: bytes) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return quoted.decode("unicode_escape").encode("latin-1", errors="replace")
        except UnicodeDecodeError:
            return quoted


def _unpacked(data: bytes, layers: int = LAYERS) -> Iterator[bytes]:
    """Yield what `data` gives when it is decoded or decompressed in the usual ways, up to `layers` times."""
    if len(data) < SHORTEST or not layers:
        return
    dense = data.translate(None, _BLANKS)
    ways = [(decode, dense) for alphabet, decode in _ENCODINGS if alphabet.fullmatch(dense)]
    for way, given in (*ways, *((decompress, data) for decompress in _COMPRESSIONS)):
        try:
            found = way(given)
        except (ValueError, EOFError, OSError, zlib.error, lzma.LZMAError):
            continue
        if len(found) >= SHORTEST // 2 and found != data:
            yield found
            yield from _unpacked(found, layers - 1)


def _padded(data: bytes, size: int) -> bytes:
    bare = data.rstrip(b"=")
    return bare + b"=" * (-len(bare) % size)


def _inflated(data: bytes, bits: int) -> bytes:
    return zlib.decompressobj(bits).decompress(data, LARGEST)


_ENCODINGS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], bytes]], ...] = (
    (re.compile(rb"[A-Za-z0-9+/]+=*"), lambda data: base64.b64decode(_padded(data, 4))),
    (re.compile(rb"[A-Za-z0-9_-]+=*"), lambda data: base64.urlsafe_b64decode(_padded(data, 4))),
    (re.compile(rb"[A-Za-z2-7]+=*"), lambda data: base64.b32decode(_padded(data, 8), casefold=True)),
    (re.compile(rb"[0-9A-Fa-f]+"), lambda data: bytes.fromhex(data.decode())),
    (re.compile(rb"[0-9A-Za-z!#$%&()*+;<=>?@^_`{|}~-]+"), base64.b85decode),
    (
        re.compile(rb"(?:<~)?[!-uz]+(?:~>)?"),
        lambda data: base64.a85decode(data.removeprefix(b"<~").removesuffix(b"~>")),
    ),
)
_COMPRESSIONS: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: _inflated(data, 47),  # zlib or gzip, as its header says
    lambda data: _inflated(data, -15),
    lambda data: bz2.BZ2Decompressor().decompress(data, LARGEST),
    lambda data: lzma.LZMADecompressor(memlimit=1 << 28).decompress(data, LARGEST),
)
