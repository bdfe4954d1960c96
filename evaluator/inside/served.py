"""The candidate's side of the data: a tokenizer and batches that come from the data jail."""

from __future__ import annotations

import json
import os
import struct
import threading
from collections.abc import Iterator
from typing import Any

from . import frames
from .frames import Channel

_ERRORS = {error.__name__: error for error in (AttributeError, IndexError, KeyError, TypeError, ValueError)}


class Data:
    """Asks the data jail, one question at a time."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.process = os.getpid()
        self.lock = threading.Lock()

    def ask(self, kind: int, *parts: Any) -> Any:
        """Return the answer: JSON, or a list of arrays and values for a batch."""
        if os.getpid() != self.process:
            raise RuntimeError("training data is served to the main process of train.py only")
        with self.lock:
            self.channel.send(kind, *parts)
            answered, body = self.channel.receive()
        if answered == frames.ERROR:
            said = json.loads(body)
            raise _ERRORS.get(said["type"], RuntimeError)(said["message"])
        return _unpacked(body) if answered == frames.BATCH else json.loads(body)

    def __reduce__(self) -> Any:
        return (_NoData, ())


class _NoData:
    """What is left of the data where a model is rebuilt elsewhere."""

    def ask(self, kind: int, *parts: Any) -> Any:
        raise PermissionError("there is no training data in this process")


def _unpacked(body: bytearray) -> list[Any]:
    import torch

    (size,) = struct.unpack_from("<I", body)
    at = 4 + size
    found: list[Any] = []
    for part in json.loads(bytes(body[4:at])):
        if "value" in part:
            found.append(part["value"])
            continue
        import numpy as np

        dtype = np.dtype(part["dtype"])
        count = int(np.prod(part["shape"], dtype=np.int64))
        array = np.frombuffer(body, dtype, count, at).reshape(part["shape"])
        at += count * dtype.itemsize
        found.append(torch.from_numpy(array))
    return found


class Tokenizer:
    """The repository's tokenizer, at a distance: its public methods and attributes take and give JSON."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        asked = {"name": name, "args": [], "kwargs": {}, "called": False}
        found = self._data.ask(frames.CALL, json.dumps(asked).encode())
        if not found["callable"]:
            return found["value"]

        def call(*args: Any, **kwargs: Any) -> Any:
            asked = {"name": name, "args": args, "kwargs": kwargs, "called": True}
            return self._data.ask(frames.CALL, json.dumps(asked).encode())["value"]

        self.__dict__[name] = call
        return call

    def __reduce__(self) -> Any:
        return (Tokenizer, (_NoData(),))


def tokenizer_class(data: Data) -> type[Tokenizer]:
    """Return the class that train.py finds in `prepare`: `from_directory` gives the repository's tokenizer."""

    class Served(Tokenizer):
        @classmethod
        def from_directory(cls, *args: Any, **kwargs: Any) -> Tokenizer:
            return cls(data)

    Served.__name__ = Served.__qualname__ = "Tokenizer"
    return Served


class Batches:
    """An endless iterator of training batches, each as the repository's own loader yields it."""

    def __init__(self, data: Data, rows: int, columns: int, args: Any, kwargs: Any, device: Any) -> None:
        asked = {"rows": rows, "columns": columns, "args": args, "kwargs": kwargs}
        self._data = data
        self._number = data.ask(frames.LOADER, json.dumps(asked).encode())
        self._device = device

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        batch = self._data.ask(frames.NEXT, self._number.to_bytes(4, "little"))
        return tuple(item.to(self._device) if hasattr(item, "to") else item for item in batch)

    def __reduce__(self) -> Any:
        return (iter, ((),))


def lengths(data: Data, device: Any) -> Any:
    """Return the bytes that each token stands for, (vocabulary,)."""
    return data.ask(frames.LENGTHS)[0].to(device)
