"""Logits out of a jail: through a shared buffer, moved once, from whatever device they are on."""

from __future__ import annotations

import mmap
import os
import socket
from typing import Any

import torch

from . import frames
from .frames import Channel


class Buffer:
    """Our end of what logits go through: `SLOTS` slots of float32 in the memory `values`, filled in turn."""

    def __init__(self, values: torch.Tensor, channel: Channel, vocabulary: int) -> None:
        self._channel = channel
        self._on_device = values.is_cuda
        rows = len(values) // frames.SLOTS // vocabulary
        if rows < 1:
            raise ValueError(f"a vocabulary of {vocabulary} tokens is larger than this evaluator can score")
        size = rows * vocabulary
        half = len(values) // frames.SLOTS
        self._slots = [values[i * half : i * half + size].view(rows, vocabulary) for i in range(frames.SLOTS)]
        self._rows = rows
        self._turn = 0
        self._taken = [True] * frames.SLOTS

    def put(self, logits: torch.Tensor) -> None:
        """Hand over logits (positions, vocabulary), all of them."""
        for part in logits.split(self._rows):
            while not self._taken[self._turn]:
                self._wait()
            self._slots[self._turn][: len(part)].copy_(part)  # to float32, and to this memory, in one move
            if self._on_device:
                torch.cuda.synchronize()  # another process reads it now
            self._taken[self._turn] = False
            self._channel.send(frames.LOGITS, frames.SLOT.pack(self._turn, len(part)))
            self._turn = (self._turn + 1) % frames.SLOTS

    def settle(self) -> None:
        """Wait until everything handed over was taken."""
        while not all(self._taken):
            self._wait()

    def _wait(self) -> None:
        kind, body = self._channel.receive()
        if kind != frames.TAKEN:
            raise RuntimeError("the scorer's messages are out of order")
        self._taken[int.from_bytes(body[:4], "little")] = True


def shared(descriptor: int) -> torch.Tensor:
    """Return the memory that the scorer made."""
    return torch.frombuffer(mmap.mmap(descriptor, 0), dtype=torch.float32)


def lent() -> torch.Tensor | None:
    """Return memory on the GPU that is lent to a reader of the scorer's; None if there is no such reader."""
    if frames.LENT not in os.environ:
        return None
    from . import device_memory
    from .reader import LENT_VALUES

    values, descriptor = device_memory.lend(frames.SLOTS * LENT_VALUES)
    with socket.socket(fileno=int(os.environ.pop(frames.LENT))) as reader:
        socket.send_fds(reader, [b"m"], [descriptor])
    os.close(descriptor)
    return values


def ask(model: Any, tokens: torch.Tensor, vocabulary: int) -> torch.Tensor:
    """Return what `model` says to tokens (rows, columns): logits (rows, columns, vocabulary)."""
    with torch.no_grad():
        logits = model(tokens)
    expected = (*tokens.shape, vocabulary)
    if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != expected:
        found = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise ValueError(f"model(idx) must give logits of shape {expected}, not {found}")
    return logits.detach()


def unpacked(body: bytearray, device: Any, rows: int) -> tuple[torch.Tensor, int]:
    """Return the tokens of a TOKENS or PROBES message as (rows, columns), filled up with its last row so that
    a compiled model sees one shape only, and how many rows count."""
    count, columns = frames.SHAPE.unpack_from(body)
    tokens = torch.frombuffer(body, dtype=torch.int32, count=count * columns, offset=frames.SHAPE.size)
    table = tokens.view(count, columns).long()
    return torch.cat([table, table[-1:].expand(rows - count, -1)]).to(device), count
