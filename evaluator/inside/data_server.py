"""Serves a repository's training data and tokenizer to a candidate, from a jail of its own.

    main(socket to the candidate, socket to the scorer)      (working directory: the tree)

It runs the incumbent's prepare.py, beside its data. The candidate sees batches and answers, no files. The
scorer hears from here, and not from the candidate, when the first batch was served.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import frames, repository
from .frames import Channel, Gone

LARGEST_REQUEST = 1 << 26  # bytes: a text to encode
TELL_SECONDS = 0.2
TELL_BATCHES = (1, 11)  # the first, and the first after what autoresearch counts as warm-up
POOL = 4  # batches among which rows are exchanged where prepare.py itself knows no seed


class Server:
    """What the repository offers, behind messages. `told` is when the scorer last heard of us."""

    def __init__(
        self, prepare: Any, candidate: Channel, scorer: Channel, *, shuffle: bool, seed: int
    ) -> None:
        self.prepare = prepare
        self.tokenizer = prepare.Tokenizer.from_directory()
        self.candidate = candidate
        self.scorer = scorer
        self.shuffle = shuffle
        self.seed = seed
        self.loaders: list[Iterator[Any]] = []
        self.ready: dict[int, Any] = {}
        self.batches = self.tokens = 0
        self.told = 0.0

    def serve(self) -> None:
        """Answer until the candidate has gone."""
        ends = [self.candidate.socket, self.scorer.socket]
        while True:
            ready = select.select(ends, [], [])[0]
            if self.scorer.socket in ready:
                self.scorer.receive(0)
                self._tell()
                continue
            kind, body = self.candidate.receive(LARGEST_REQUEST)
            try:
                self._answer(kind, bytes(body))
            except (Gone, OSError):
                raise
            except Exception as error:  # the repository's own: the candidate hears it as it would alone
                said = {"type": type(error).__name__, "message": str(error)[:2000]}
                self.candidate.say(frames.ERROR, said)

    def _answer(self, kind: int, body: bytes) -> None:
        if kind == frames.NEXT:
            self._next(int.from_bytes(body, "little"))
        elif kind == frames.LENGTHS:
            lengths = self.prepare.get_token_bytes("cpu").cpu().numpy().astype("<i4")
            self.candidate.send(frames.BATCH, *_packed([lengths]))
        elif kind == frames.LOADER:
            asked = json.loads(body)
            make = self.prepare.make_dataloader
            loader = make(
                self.tokenizer, asked["rows"], asked["columns"], "train", *asked["args"], **asked["kwargs"]
            )
            self.loaders.append(exchanged(loader, self.seed) if self.shuffle else loader)
            self.candidate.say(frames.ANSWER, len(self.loaders) - 1)
        elif kind == frames.CALL:
            asked = json.loads(body)
            name = asked["name"]
            if name.startswith("_"):
                raise AttributeError(name)
            found = getattr(self.tokenizer, name)
            answer = found(*asked["args"], **asked["kwargs"]) if asked["called"] else found
            if not asked["called"] and callable(found):
                self.candidate.say(frames.ANSWER, {"callable": True})
            else:
                self.candidate.say(frames.ANSWER, {"callable": False, "value": answer})
        else:
            raise ValueError("unknown request")

    def _next(self, number: int) -> None:
        loader = self.loaders[number]
        if not self.batches:
            self._tell()  # the clock runs from the request
        batch = self.ready.pop(number, None) or _packed(next(loader))
        self.candidate.send(frames.BATCH, *batch)
        self.batches += 1
        self.tokens += batch[2].size if len(batch) > 2 else 0
        if self.batches in TELL_BATCHES or time.monotonic() - self.told > TELL_SECONDS:
            self._tell()
        self.ready[number] = _packed(next(loader))  # while the candidate works

    def _tell(self) -> None:
        self.told = time.monotonic()
        self.scorer.send(frames.SERVED, frames.COUNTS.pack(self.batches, self.tokens))


def _packed(batch: Any) -> list[Any]:
    """Return what a loader yields as length of the header, header and raw arrays."""
    import numpy as np

    parts: list[Any] = []
    layout: list[Any] = []
    for item in batch if isinstance(batch, (tuple, list)) else [batch]:
        if hasattr(item, "detach"):
            item = item.detach().cpu().numpy()
        if isinstance(item, np.ndarray):
            array = np.array(item, order="C")  # a copy: loaders may fill the same buffer again
            layout.append({"dtype": array.dtype.str, "shape": array.shape})
            parts.append(array.reshape(-1))
        else:
            layout.append({"value": item.item() if isinstance(item, np.generic) else item})
    header = json.dumps(layout).encode()
    return [len(header).to_bytes(4, "little"), header, *parts]


def exchanged(loader: Iterator[Any], seed: int) -> Iterator[Any]:
    """Yield the loader's batches with rows exchanged among `POOL` of them, in an order that `seed` decides."""
    import numpy as np
    import torch

    draw = np.random.default_rng(seed)
    pool: list[list[Any]] = []
    for batch in loader:
        # Copied at once: loaders may hand out the same buffer again.
        pool.append([item.clone() if isinstance(item, torch.Tensor) else item for item in batch])
        if len(pool) <= POOL:
            continue
        rows = len(pool[0][0])
        first, other = pool.pop(0), pool[int(draw.integers(POOL))]
        swapped = torch.from_numpy(np.flatnonzero(draw.random(rows) < 0.5))
        for mine, theirs in zip(first, other, strict=True):
            if isinstance(mine, torch.Tensor):
                kept = mine[swapped].clone()
                mine[swapped] = theirs[swapped]
                theirs[swapped] = kept
        yield tuple(first)


def main(candidate: str, scorer: str) -> None:
    began = time.monotonic()
    folder = Path.cwd()
    source = (folder / "prepare.py").read_text(encoding="utf-8", errors="replace")
    prepare = repository.load_prepare(folder, "prepare")
    import torch
    import torch.optim

    torch.set_num_threads(1)
    to_scorer = Channel(int(scorer))
    seed = int(os.environ.get("NOCTURNE_SEED") or 0)
    server = Server(
        prepare, Channel(int(candidate)), to_scorer, shuffle="NOCTURNE_SEED" not in source, seed=seed
    )
    to_scorer.say(
        frames.HELLO,
        {
            "fingerprint": str(prepare.fingerprint()) if hasattr(prepare, "fingerprint") else "",
            "cpu_seconds": time.process_time(),
            "wall_seconds": time.monotonic() - began,
        },
    )
    try:
        server.serve()
    except (Gone, ConnectionError):
        sys.exit(0)
