"""Messages between a locked script, the evaluator and the processes that are called: a header and a body.

script -> evaluator   START    JSON: file, which: "candidate" or "reference"
                      ASK      process u32, limit in seconds f64, length of the name u16, name, then `plain.packed`
                               [args, kwargs]
                      END      process u32
                      BLAME    JSON: kind, reason: what came back is no answer
                      METRIC   JSON: names and numbers
evaluator -> script   DONE     JSON: process, and what loading it took
                      ANSWER   seconds, CPU seconds, MiB: f64 each, then `plain.packed`
                      FAILED   JSON: kind, reason
evaluator -> called   LOAD     (empty) run the file
                      CALL     eight bytes to be said again, then `plain.packed` [name, args, kwargs]
called -> evaluator   READY    (empty) nothing of the candidate has run yet
                      LOADED   (empty)
                      VALUE    the eight bytes, then `plain.packed`
                      RAISED   the eight bytes, then JSON: type, message, traceback
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

VERSION = "1"
VARIABLE = "NOCTURNE_CALLS"  # in a run: version, colon, descriptor
MAGIC = b"NCT2"
HEADER = struct.Struct("<4sBxxxQ")
ASKED = struct.Struct("<IdH")
MEASURED = struct.Struct("<ddd")
NONCE = 8  # bytes

START, ASK, END, BLAME, METRIC = 129, 130, 131, 132, 133
DONE, ANSWER, FAILED = 145, 146, 147
LOAD, CALL = 161, 162
READY, LOADED, VALUE, RAISED = 177, 178, 179, 180


class Gone(Exception):
    """The other side has closed its end."""


class Channel:
    """One end of a socket, blocking."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end

    def send(self, kind: int, *parts: Any) -> None:
        """Send one message; its body is all `parts` together."""
        body = b"".join(parts)
        self.socket.sendall(HEADER.pack(MAGIC, kind, len(body)) + body)

    def say(self, kind: int, value: Any) -> None:
        """Send one message whose body is JSON."""
        self.send(kind, json.dumps(value).encode())

    def receive(self, largest: int) -> tuple[int, bytearray]:
        """Return kind and body of the next message; raise `Gone`, or `ValueError` for what is no message."""
        magic, kind, length = HEADER.unpack(self._read(HEADER.size))
        if magic != MAGIC or length > largest:
            raise ValueError("not a message")
        return kind, self._read(length)

    def _read(self, count: int) -> bytearray:
        whole = bytearray(count)
        left = memoryview(whole)
        while left:
            size = self.socket.recv_into(left)
            if not size:
                raise Gone
            left = left[size:]
        return whole
