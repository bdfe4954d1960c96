"""Messages between the scorer and what runs in jails: a fixed header and a bounded body.

A header is the magic, a kind and the length of the body, little-endian. Bodies are JSON, fixed structures or
raw arrays; nothing is unpickled by the scorer. Standard library only.

    candidate -> scorer   EVALUATE   JSON: rows, parameters, peak_vram_mb; training has ended
                          MODEL      a piece of the model, by value
                          SHIPPED    JSON: the model is complete; the numerical settings it works under
                          READY      JSON: it has answered once, to tokens that mean nothing
    audit -> scorer       READY      the model was rebuilt
    both -> scorer        LOGITS     slot u32, positions u32: float32 logits lie in that slot of the buffer
    scorer -> candidate   TOKENS     rows u32, columns u32, then int32 (rows, columns)
                          SCORE      f64
    scorer -> audit       BEGIN      JSON: rows, columns, numerics; the exam's jail is gone: rebuild the model
                          PROBES     as TOKENS, then int32 (rows,): the position that is asked for in each row
    scorer -> both        TAKEN      slot u32: it may be filled again

    reader -> scorer      READY      JSON: rows, positions that a slot holds
                          NATS       float64 (positions,): the loss at each
    scorer -> reader      READ       slot u32, positions u32, then int32 (positions,): the targets

    scorer -> data        TELL       (empty) answer with TOLD
    data -> scorer        HELLO      JSON: fingerprint, seconds of processor time and of the wall to be ready
                          SERVED     batches u64, tokens u64, now and then
                          TOLD       the same, when asked
    candidate -> data     (bodies as `values.packed`, but for NEXT and AGAIN)
                          CALL       object, name, args, kwargs, called: an attribute or method of an object
                          LOADER     args, kwargs of make_dataloader
                          NEXT       loader u32
                          AGAIN      object u32: a new iterator over it
                          LENGTHS    args, kwargs of get_token_bytes
                          NAMES      names of prepare.py whose values are wanted
                          JOIN       rank, world: a line of its own for one of several processes
    data -> candidate     ANSWER     a value (`values.packed`)
                          ERROR      JSON: type, message
                          ENDED      (empty) the loader has come to its end
                          LINE       (empty) a descriptor comes along
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

MAGIC = b"NCT2"
HEADER = struct.Struct("<4sBxxxQ")
SHAPE = struct.Struct("<II")
SLOT = struct.Struct("<II")
COUNTS = struct.Struct("<QQ")

EVALUATE, MODEL, SHIPPED, READY, LOGITS = 1, 2, 3, 4, 5
TOKENS, SCORE, PROBES, TAKEN, BEGIN = 17, 18, 19, 20, 21
HELLO, SERVED, TELL, TOLD = 33, 34, 35, 36
CALL, LOADER, NEXT, LENGTHS, AGAIN, NAMES, JOIN = 49, 50, 51, 52, 53, 54, 55
ANSWER, ERROR, ENDED, LINE = 65, 66, 67, 68
READ, NATS = 81, 82

PIECE = 1 << 22  # bytes of a model in one message
LENT = "NOCTURNE_LEND"  # the variable that names a candidate's socket to whoever reads logits on the GPU
SLOTS = 2  # halves of the buffer for logits: one is filled while the other is read


class Gone(Exception):
    """The other side has closed its end."""


class Channel:
    """One end of a socket, blocking."""

    def __init__(self, descriptor: int) -> None:
        self.socket = socket.socket(fileno=descriptor)

    def send(self, kind: int, *parts: Any) -> None:
        """Send one message; its body is all `parts` (bytes-like) together."""
        views = [memoryview(part).cast("B") for part in parts]
        self.socket.sendall(HEADER.pack(MAGIC, kind, sum(len(view) for view in views)))
        for view in views:
            self.socket.sendall(view)

    def say(self, kind: int, value: Any) -> None:
        """Send one message whose body is JSON."""
        self.send(kind, json.dumps(value).encode())

    def receive(self, largest: int | None = None) -> tuple[int, bytearray]:
        """Return kind and body of the next message; raise `Gone`, or `ValueError` for what is no message."""
        magic, kind, length = HEADER.unpack(self._read(HEADER.size))
        if magic != MAGIC or (largest is not None and length > largest):
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
