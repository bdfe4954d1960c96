"""Reads logits for the scorer, on the device on which they lie: our own code, in a jail of its own.

The scorer is numpy; with 8,192 words and 21 million tokens it would wait for 687 GB. This process gets the memory
from the candidate's jail, copies what it reads first (somebody else may write there), and gives back a loss for each
position. It never sees the candidate's code, and the candidate never sees the targets.

    main(scorer's socket, candidate's socket or "-", the logits' buffer, vocabulary)
"""

from __future__ import annotations

import mmap
import socket
from typing import Any

import torch

from . import frames
from .frames import Channel, Gone

LENT_VALUES = 1 << 26  # float32 in each half of memory that is lent on a GPU


def main(scorer: str, candidate: str, buffer: str, vocabulary: str) -> None:
    channel = Channel(int(scorer))
    words = int(vocabulary)
    if candidate == "-":
        memory = mmap.mmap(int(buffer), 0, prot=mmap.PROT_READ)
        values = torch.frombuffer(memory, dtype=torch.float32)
    else:
        values = _borrowed(int(candidate))
    half = len(values) // frames.SLOTS
    rows = half // words
    slots = [values[i * half : i * half + rows * words].view(rows, words) for i in range(frames.SLOTS)]
    channel.say(frames.READY, {"rows": rows})
    while True:
        try:
            _, body = channel.receive()
        except Gone:
            return
        slot, count = frames.SLOT.unpack_from(body)
        targets = torch.frombuffer(body, dtype=torch.int32, count=count, offset=frames.SLOT.size)
        nats = losses(slots[slot][:count], targets.to(values.device).long())
        channel.send(frames.NATS, nats.cpu().numpy().astype("<f8"))


def losses(logits: Any, targets: Any) -> Any:
    """Return -ln softmax(logits)[target] per row of (n, V), float64 (n,), as `evaluator.training.scoring` does."""
    block = logits.clone()
    block -= block.max(dim=1, keepdim=True).values
    picked = block.gather(1, targets[:, None])[:, 0].double()
    return block.exp_().sum(dim=1, dtype=torch.float64).log() - picked


def _borrowed(end: int) -> Any:
    from . import device_memory

    with socket.socket(fileno=end) as candidate:
        descriptors = socket.recv_fds(candidate, 1, 1)[1]
    if not descriptors:
        raise Gone
    return device_memory.borrow(descriptors[0], frames.SLOTS * LENT_VALUES)
