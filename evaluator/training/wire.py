"""The wire between scorer and shim: frames of a fixed header and a bounded body, read without trust.

A frame is the magic, a kind and the length of the body, little-endian. Bodies are fixed structures or raw
arrays; nothing is unpickled. The shim has the same few constants of its own, because it must stand alone.

    shim -> scorer   HELLO        fingerprint of the repository's data in hex, or nothing
                     FIRST_BATCH  (empty) the training clock starts
                     EVALUATE     batch rows u32, parameters u64, tokens served u64, peak video memory in
                                  MiB f64: the training clock stops
                     READY        (empty) the model answered once, with tokens that mean nothing
                     LOGITS       float32, some positions times the whole vocabulary, in order
    scorer -> shim   TOKENS       rows u32, columns u32, then int32 (rows, columns)
                     SCORE        f64
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from evaluator.errors import CandidateFailed

MAGIC = b"NCT1"
HEADER = struct.Struct("<4sBxxxQ")
REPORT = struct.Struct("<IQQd")
HELLO, FIRST_BATCH, EVALUATE, READY, LOGITS = 1, 2, 3, 4, 5
TOKENS, SCORE = 17, 18
LARGEST_BODY = {HELLO: 64, FIRST_BATCH: 0, EVALUATE: REPORT.size, READY: 0, LOGITS: 1 << 26}


@dataclass(frozen=True)
class Frame:
    kind: int
    body: bytearray


class Wire:
    """The scorer's end of the socket. `wait` is called before each read and write that would block: it looks
    after everything else, and raises where the run is over."""

    def __init__(self, end: socket.socket, wait: Callable[[socket.socket, bool], None]) -> None:
        self._socket = end
        self._wait = wait
        end.setblocking(False)

    def receive(self) -> Frame | None:
        """Return the next frame, or None where the candidate has closed its end or ended.

        Raises `CandidateFailed` (refused) for anything that is not a frame.
        """
        header = self._read(HEADER.size)
        if header is None:
            return None
        magic, kind, length = HEADER.unpack(header)
        if magic != MAGIC or kind not in LARGEST_BODY or length > LARGEST_BODY[kind]:
            raise CandidateFailed("refused", "the candidate sent the scorer something that is no message")
        body = self._read(length)
        return None if body is None else Frame(kind, body)

    def send(self, kind: int, *parts: bytes) -> None:
        """Send one frame; raise `BrokenPipeError` or `ConnectionResetError` where nobody reads."""
        body = b"".join(parts)
        left = memoryview(HEADER.pack(MAGIC, kind, len(body)) + body)
        while left:
            try:
                left = left[self._socket.send(left, socket.MSG_NOSIGNAL) :]
            except BlockingIOError:
                self._wait(self._socket, True)

    def _read(self, count: int) -> bytearray | None:
        whole = bytearray(count)
        left = memoryview(whole)
        while left:
            try:
                size = self._socket.recv_into(left)
            except BlockingIOError:
                self._wait(self._socket, False)
                continue
            except ConnectionResetError:
                return None
            if size == 0:
                return None
            left = left[size:]
        return whole
