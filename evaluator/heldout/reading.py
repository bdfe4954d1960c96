"""Whether a file, or anything that is packed in it, has a window of the index: streamed, in bounded memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

from evaluator.heldout.windows import CHUNK, WINDOW, WindowIndex

LAYERS = 5  # a tar.gz in a zip in a tar.gz has as many
LARGEST = 1 << 34  # bytes that one file may unpack to, altogether
IN_MEMORY = 1 << 25  # an inner archive that is larger lies on disk while it is looked at
HEAD = 262  # bytes that tell what a file is: tar says so at 257
TAIL = (1 << 16) + 22  # where a zip file says so, whatever stands before it (PKWARE's APPNOTE.TXT, 4.3.16)

_ZIP_END = b"PK\x05\x06"
_OPENERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda stream: gzip.GzipFile(fileobj=stream),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
# What the unpackers of the standard library raise for archives that are damaged, encrypted or of unknown kinds.
_DAMAGED = (
    OSError, EOFError, ValueError, KeyError, IndexError, NotImplementedError, RuntimeError, struct.error,
    zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile,
)  # fmt: skip


class _TooLarge(Exception):
    """More comes out of an archive than anybody would unpack."""


class _Budget:
    """Counts what comes out of one file's archives."""

    def __init__(self) -> None:
        self.left = LARGEST

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise _TooLarge


def is_packed(head: bytes, tail: bytes) -> bool:
    """Return whether a file that begins and ends like this is an archive that is looked into."""
    return head.startswith(tuple(_OPENERS)) or _is_tar(head) or _ZIP_END in tail


def carries(stream: IO[bytes], index: WindowIndex) -> bool:
    """Return whether `stream` (seekable, at its beginning) or something packed in it has a window of `index`.

    What is damaged or encrypted is looked at as far as it can be read; what unpacks to more than LARGEST
    counts as carrying a window, since nobody can tell. Raises `OSError` if the stream can't be read.
    """
    try:
        return _carries(stream, index, LAYERS, None)
    except _TooLarge:
        return True


def unpacked_carries(stream: IO[bytes], index: WindowIndex) -> bool:
    """Like `carries`, for an archive whose own bytes were looked at already; it may stand anywhere."""
    stream.seek(0)
    head = stream.read(HEAD)
    stream.seek(max(stream.seek(0, os.SEEK_END) - TAIL, 0))
    tail = stream.read(TAIL)
    try:
        return _unpacked_carries(stream, index, head, tail, LAYERS, _Budget())
    except _TooLarge:
        return True


def _carries(stream: IO[bytes], index: WindowIndex, layers: int, budget: _Budget | None) -> bool:
    """`budget` is None for a file itself, which may have any size."""
    head = tail = b""
    for piece in _pieces(stream, budget):
        if index.holds(tail[1 - WINDOW :] + piece):
            return True
        head, tail = head or piece[:HEAD], (tail + piece[-TAIL:])[-TAIL:]
    if not layers or not is_packed(head, tail):
        return False
    return _unpacked_carries(stream, index, head, tail, layers, budget or _Budget())


def _unpacked_carries(
    stream: IO[bytes], index: WindowIndex, head: bytes, tail: bytes, layers: int, budget: _Budget
) -> bool:
    for magic, opener in _OPENERS.items():
        if head.startswith(magic):
            stream.seek(0)
            if _carries(opener(stream), index, layers - 1, budget):
                return True
    for applies, members in ((_is_tar(head), _packed_in_tar), (_ZIP_END in tail, _members_of_zip)):
        if applies:
            stream.seek(0)
            if any(_carries(member, index, layers - 1, budget) for member in members(stream, budget)):
                return True
    return False


def _members_of_zip(stream: IO[bytes], budget: _Budget) -> Iterator[IO[bytes]]:
    try:
        with zipfile.ZipFile(stream) as archive:
            for info in archive.infolist():
                member = _opened(archive, info) if info.file_size >= WINDOW else None
                if member is not None:
                    with member:
                        yield member
    except _DAMAGED:
        return


def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes] | None:
    try:
        return archive.open(info)
    except _DAMAGED:
        return None


def _packed_in_tar(stream: IO[bytes], budget: _Budget) -> Iterator[IO[bytes]]:
    """Yield copies of the archives in a tar file; other members were seen already as bytes of the tar itself.

    Copies, because to go back inside a compressed stream means to unpack it again from its beginning.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for info in archive:
                member = archive.extractfile(info) if info.isreg() else None
                if member is None:
                    continue
                with io.BytesIO() if info.size <= IN_MEMORY else tempfile.TemporaryFile() as copy:
                    head = tail = b""
                    for piece in _pieces(member, budget):
                        head, tail = head or piece[:HEAD], (tail + piece[-TAIL:])[-TAIL:]
                        copy.write(piece)
                    if is_packed(head, tail):
                        copy.seek(0)
                        yield copy
    except _DAMAGED:
        return


def _is_tar(head: bytes) -> bool:
    return head[257:] == b"ustar"


def _pieces(stream: IO[bytes], budget: _Budget | None) -> Iterator[bytes]:
    """Yield all of `stream`, CHUNK bytes or a little more at a time; in an archive what can be read of it."""
    read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
    held = bytearray()
    try:
        while data := read(CHUNK):
            held += data
            if budget is not None:
                budget.take(len(data))
            if len(held) >= CHUNK:
                yield bytes(held)
                held.clear()
    except _DAMAGED:
        if budget is None:
            raise
    if held:
        yield bytes(held)
