"""The scorer's end of a socket into a jail: messages (`evaluator.inside.frames`), read without trust."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evaluator.errors import CandidateFailed
from evaluator.inside import frames

SMALL = 4096  # bytes of JSON
_MOST_DIGITS = 18
FROM_CANDIDATE = {
    frames.EVALUATE: SMALL,
    frames.MODEL: frames.PIECE,
    frames.SHIPPED: SMALL,
    frames.READY: SMALL,
    frames.LOGITS: frames.SLOT.size,
}
FROM_AUDIT = {frames.READY: SMALL, frames.LOGITS: frames.SLOT.size}
FROM_READER = {frames.READY: SMALL, frames.NATS: 1 << 24}
FROM_DATA = {frames.HELLO: SMALL, frames.SERVED: frames.COUNTS.size, frames.TOLD: frames.COUNTS.size}


@dataclass(frozen=True)
class Frame:
    kind: int
    body: bytearray

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object; raise `CandidateFailed` if it is none, or a number has too many digits."""
        try:
            value = json.loads(self.body, parse_int=_whole)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise nonsense()
        return value


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError("too many digits")
    return int(digits)


def nonsense() -> CandidateFailed:
    return CandidateFailed(
        "refused", "the candidate sent the scorer something that is no message", defence="protocol"
    )


class Wire:
    """Reads and writes whole messages. `wait` is called if one of them would block: it looks after
    everything else, and raises if the run is over. `largest` bounds the body of each kind that may come."""

    def __init__(
        self,
        end: socket.socket,
        largest: Mapping[int, int],
        wait: Callable[[socket.socket, bool], None],
    ) -> None:
        self.socket = end
        self.closed = False
        self._largest = largest
        self._wait = wait
        self._part = bytearray()
        self._left = memoryview(self._part)
        self._header: tuple[int, int] | None = None
        self._expect(frames.HEADER.size)
        end.setblocking(False)

    def poll(self) -> Frame | None:
        """Return the next message if it is there as a whole; `closed` is set if none will come.

        Raises `CandidateFailed` (refused) for anything that is not a message.
        """
        while not self.closed:
            while self._left:
                try:
                    size = self.socket.recv_into(self._left)
                except BlockingIOError:
                    return None
                except ConnectionResetError:
                    size = 0
                if size == 0:
                    self.closed = True
                    return None
                self._left = self._left[size:]
            if self._header is None:
                magic, kind, length = frames.HEADER.unpack(self._part)
                if magic != frames.MAGIC or length > self._largest.get(kind, -1):
                    raise nonsense()
                self._header = kind, length
                self._expect(length)
            else:
                frame = Frame(self._header[0], self._part)
                self._header = None
                self._expect(frames.HEADER.size)
                return frame
        return None

    def receive(self) -> Frame | None:
        """Wait for the next message; return None if the other side has closed its end or ended."""
        while True:
            frame = self.poll()
            if frame is not None or self.closed:
                return frame
            self._wait(self.socket, False)

    def send(self, kind: int, *parts: bytes) -> None:
        """Send one message; raise `BrokenPipeError` or `ConnectionResetError` if nobody reads."""
        body = b"".join(parts)
        left = memoryview(frames.HEADER.pack(frames.MAGIC, kind, len(body)) + body)
        while left:
            try:
                left = left[self.socket.send(left, socket.MSG_NOSIGNAL) :]
            except BlockingIOError:
                self._wait(self.socket, True)

    def _expect(self, count: int) -> None:
        self._part = bytearray(count)
        self._left = memoryview(self._part)
