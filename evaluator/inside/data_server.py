"""Serves a repository's training data and tokenizer to a candidate, from a jail of its own.

    main(socket to the candidate, socket to the scorer)      (working directory: the folder of prepare.py)

It runs the incumbent's prepare.py, beside its data. The candidate sees batches and answers, no files. The
scorer hears from here, and not from the candidate, when the first batch was served. A candidate of several
processes has a line for each of them (`JOIN`).
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import frames, offered, repository, splits, values, without_cuda
from .frames import Channel, Gone
from .offered import Offered, Source

LARGEST_REQUEST = 1 << 26  # bytes: a text to encode
TELL_SECONDS = 0.2
TELL_BATCHES = (1, 11)  # the first, and the first after what autoresearch counts as warm-up
POOL = 4  # batches among which rows are exchanged if prepare.py itself knows no seed
MOST_LINES = 1024


class Line:
    """One process of the candidate: its end of a socket, what it was given, and its loaders' next batches."""

    def __init__(self, channel: Channel, given: Offered, rank: int = 0, world: int = 1) -> None:
        self.channel = channel
        self.given = given
        self.rank, self.world = rank, world
        self.loaders: list[Iterator[Any]] = []
        self.ready: dict[int, Any] = {}  # packed batches, or the error that came in their place
        self.made = 0


class Server:
    """What the repository offers, behind messages. `told` is when the scorer last heard of us."""

    def __init__(
        self,
        prepare: Any,
        candidate: Channel,
        scorer: Channel,
        known: splits.Splits,
        *,
        shuffle: bool,
        seed: int,
    ) -> None:
        self.prepare = prepare
        self.tokenizer = offered.tokenizer_of(prepare)
        self.splits = known
        self.lines = [Line(candidate, self._given())]
        self.scorer = scorer
        self.shuffle = shuffle
        self.seed = seed
        self.sources: dict[int, Source] = {}
        self.batches = self.tokens = 0
        self.told = 0.0

    def serve(self) -> None:
        """Answer until the candidate has gone."""
        while True:
            ends = {line.channel.socket: line for line in self.lines}
            ready = select.select([*ends, self.scorer.socket], [], [])[0]
            if self.scorer.socket in ready:
                self.scorer.receive(0)
                self._tell(frames.TOLD)
            for end in ready:
                if end in ends:
                    self._hear(ends[end])

    def _hear(self, line: Line) -> None:
        try:
            kind, body = line.channel.receive(LARGEST_REQUEST)
        except (Gone, ConnectionError):
            if line is self.lines[0]:
                raise
            self.lines.remove(line)
            return
        try:
            self._answer(line, kind, body)
        except (Gone, ConnectionError):
            if line is self.lines[0]:
                raise
            self.lines.remove(line)
        except Exception as error:  # the repository's own: the candidate hears it as it would alone
            self._refuse(line, error)

    def _refuse(self, line: Line, error: Exception) -> None:
        line.channel.say(frames.ERROR, {"type": type(error).__name__, "message": str(error)[:2000]})

    def _answer(self, line: Line, kind: int, body: bytearray) -> None:
        if kind in (frames.NEXT, frames.AGAIN):
            number = int.from_bytes(body, "little")
            if kind == frames.NEXT:
                self._next(line, number)
            else:
                loader = line.given.objects[number]
                if number not in line.given.loaders:
                    raise TypeError("only loaders are iterated over")
                self._say(line, self._begin(line, loader))
            return
        asked = values.unpacked(body, found=lambda what: self._found(line, what))
        if kind == frames.LOADER:
            with self._as(line):
                loader = line.given.make_loader(list(asked["args"]), asked["kwargs"])
            self._say(line, loader, loaders=True)
        elif kind == frames.LENGTHS:
            self._say(line, self.prepare.get_token_bytes(*asked["args"], **asked["kwargs"]))
        elif kind == frames.CALL:
            self._call(line, asked)
        elif kind == frames.NAMES:
            self._say(line, line.given.names(list(asked["names"])))
        elif kind == frames.JOIN:
            self._join(line, int(asked["rank"]), int(asked["world"]))
        else:
            raise ValueError("unknown request")

    def _call(self, line: Line, asked: dict[str, Any]) -> None:
        number = int(asked["object"])
        loader = number in line.given.loaders
        if loader and not self.batches:
            self._tell()  # the clock runs from the request
        answer = line.given.call(asked)
        if not asked["called"] and callable(answer):
            line.channel.send(frames.ANSWER, *values.packed({"callable": True}))
            return
        packed = values.packed({"callable": False, "value": answer}, line.given.other(number))
        line.channel.send(frames.ANSWER, *packed)
        if loader and asked["called"] and packed.elements:
            self._count(packed)

    def _say(self, line: Line, value: Any, *, loaders: bool = False) -> None:
        """Send an answer; with `loaders` what can be iterated over in it becomes one of the line's loaders."""

        def other(item: Any) -> Any:
            if not loaders or not (hasattr(item, "__iter__") or hasattr(item, "__next__")):
                return line.given.remember(item)
            told = line.given.remember(item, loader=True)
            if told["iterator"]:
                told["loader"] = self._begin(line, item)
            return told

        if loaders and isinstance(value, list):
            value = tuple(value) if all(map(_is_loader, value)) else _Many(value)
        line.channel.send(frames.ANSWER, *values.packed(value, other))

    def _begin(self, line: Line, loader: Any) -> int:
        """Return the number by which the batches of a loader are asked for, from its first on."""
        iterator = iter(loader)
        at, line.made = line.made, line.made + 1
        own = line.world == 1 or line.given.takes_ranks() or self._reads_ranks()
        if own:
            mine = exchanged(iterator, self.seed) if self.shuffle else iterator
        else:
            source = self.sources.get(at)
            if source is None:
                whole = exchanged(iterator, self.seed) if self.shuffle else iterator
                source = self.sources[at] = Source(whole, line.world)
            mine = source.of(line.rank)
        line.loaders.append(mine)
        return len(line.loaders) - 1

    def _next(self, line: Line, number: int) -> None:
        if not self.batches:
            self._tell()  # the clock runs from the request
        found = line.ready.pop(number, None) or self._batch(line, number)
        if isinstance(found, StopIteration):
            line.ready[number] = found
            line.channel.send(frames.ENDED)
            return
        if isinstance(found, Exception):
            raise found
        line.channel.send(frames.ANSWER, *found)
        self._count(found)
        line.ready[number] = self._batch(line, number)  # while the candidate works

    def _batch(self, line: Line, number: int) -> Any:
        """Return a loader's next batch, packed, or the error that it ends with."""
        try:
            with self._as(line):
                batch = next(line.loaders[number])
            return batch if isinstance(batch, values.Packed) else values.packed(batch, line.given.remember)
        except Exception as error:
            return error

    def _count(self, packed: values.Packed) -> None:
        self.batches += 1
        self.tokens += packed.elements
        if self.batches in TELL_BATCHES or time.monotonic() - self.told > TELL_SECONDS:
            self._tell()

    def _tell(self, kind: int = frames.SERVED) -> None:
        self.told = time.monotonic()
        self.scorer.send(kind, frames.COUNTS.pack(self.batches, self.tokens))

    # Several processes

    def _join(self, line: Line, rank: int, world: int) -> None:
        if line is not self.lines[0] or not 0 <= rank < world <= MOST_LINES or len(self.lines) > MOST_LINES:
            raise ValueError("not a process of this candidate")
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        self.lines.append(Line(Channel(ours.detach()), self._given(), rank, world))
        line.channel.send(frames.LINE)
        socket.send_fds(line.channel.socket, [b"!"], [theirs.fileno()])
        theirs.close()

    def _reads_ranks(self) -> bool:
        text = repository.text(Path.cwd())
        return '"RANK"' in text or "'RANK'" in text

    def _as(self, line: Line) -> Any:
        """Return the context in which prepare.py is asked for one of several processes."""
        return _Environment(offered.with_rank(line.rank, line.world) if line.world > 1 else {})

    def _found(self, line: Line, what: dict[str, Any]) -> Any:
        return line.given.objects[int(what["number"])]

    def _given(self) -> Offered:
        return Offered(self.prepare, self.splits, self.tokenizer)


class _Many:
    """A list of batches, served as a loader that begins again."""

    def __init__(self, batches: list[Any]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)


class _Environment:
    """Sets variables of the environment for a moment."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._values}
        os.environ.update(self._values)

    def __exit__(self, *error: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _is_loader(value: Any) -> bool:
    return hasattr(value, "__next__") or (
        hasattr(value, "__iter__")
        and not isinstance(value, list | tuple | dict)
        and not hasattr(value, "shape")
    )


def exchanged(loader: Iterator[Any], seed: int) -> Iterator[Any]:
    """Yield the loader's batches with rows exchanged among `POOL` of them, in an order that `seed` decides.

    Batches of which it is not known what their rows are, and the last ones of a loader that ends, stay as they are.
    """
    import numpy as np
    import torch

    draw = np.random.default_rng(seed)
    pool: list[Any] = []
    for batch in loader:
        if not isinstance(batch, tuple | list) or not batch or not isinstance(batch[0], torch.Tensor):
            yield from pool
            pool.clear()
            yield batch
            continue
        # Copied at once: loaders may hand out the same buffer again.
        copied = [item.clone() if isinstance(item, torch.Tensor) else item for item in batch]
        pool.append(type(batch)(*copied) if hasattr(batch, "_fields") else type(batch)(copied))
        if len(pool) <= POOL:
            continue
        first, other = pool.pop(0), pool[int(draw.integers(POOL))]
        rows = len(first[0]) if first[0].ndim else 0
        swapped = torch.from_numpy(np.flatnonzero(draw.random(rows) < 0.5))
        for mine, theirs in zip(first, other, strict=False):
            if not isinstance(mine, torch.Tensor) or not isinstance(theirs, torch.Tensor):
                continue
            if mine.shape == theirs.shape and mine.ndim and len(mine) == rows:
                kept = mine[swapped].clone()
                mine[swapped] = theirs[swapped]
                theirs[swapped] = kept
        yield first
    yield from pool


def main(candidate: str, scorer: str) -> None:
    began = time.monotonic()
    folder = Path.cwd()
    source = repository.text(folder)
    with without_cuda.where_there_is_none():
        prepare = repository.load_prepare(folder)
        import torch
        import torch.optim

        torch.set_num_threads(1)
        to_scorer = Channel(int(scorer))
        server = Server(
            prepare, Channel(int(candidate)), to_scorer, splits.learned(source),
            shuffle="NOCTURNE_SEED" not in source, seed=int(os.environ.get("NOCTURNE_SEED") or 0),
        )  # fmt: skip
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
