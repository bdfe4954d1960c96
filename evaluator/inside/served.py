"""The candidate's side of the data: a tokenizer and batches that come from the data jail."""

from __future__ import annotations

import builtins
import json
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from . import frames, values
from .frames import Channel
from .offered import CLASS, TOKENIZER
from .standin import StandIn

_ABSENT = "is not there where a model is only asked for logits"
Moved = Callable[[Any, str], Any]


class Data:
    """Asks the data jail, one question at a time. `kinds` are classes of prepare.py that answers are made of."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.process = os.getpid()
        self.lock = threading.Lock()
        self.tokenizer: Any = Remote
        self.kinds: dict[str, Any] = {}

    def ask(self, kind: int, *parts: Any, moved: Moved | None = None) -> Any:
        """Return the answer to a message. Raises `StopIteration` at the end of a loader, and what prepare.py raises."""
        if os.getpid() != self.process:
            raise RuntimeError(
                "training data is served to the process that runs the script only, not to workers that"
                " it starts: set num_workers=0"
            )
        with self.lock:
            self.channel.send(kind, *parts)
            answered, body = self.channel.receive()
        if answered == frames.ENDED:
            raise StopIteration
        if answered == frames.ERROR:
            said = json.loads(body)
            raise _error(said["type"])(said["message"])
        return values.unpacked(
            body, made=self._made, found=lambda told: self._found(told, moved), moved=moved or placed
        )

    def ask_with(self, kind: int, args: Any, kwargs: Any, moved: Moved | None = None, **more: Any) -> Any:
        """Ask what takes arguments."""
        if kind == frames.LOADER:
            args, kwargs = _with_our_tokenizer(args, kwargs)
        asked = {"args": list(args), "kwargs": kwargs, **more}
        return self.ask(kind, *values.packed(asked, _number_of), moved=moved)

    def _found(self, told: dict[str, Any], moved: Moved | None) -> Any:
        if told["tokenizer"]:
            return _made_of(self.tokenizer, self, told)
        if "loader" in told:
            return Batches(self, told, moved)
        return (Loader if told["iterates"] else Remote)(self, told, moved)

    def _made(self, name: str, held: dict[str, Any]) -> Any:
        kind = self.kinds.get(name)
        if kind is None:
            import types

            return types.SimpleNamespace(**held)
        made = object.__new__(kind)
        for key, value in held.items():
            object.__setattr__(made, key, value)
        return made

    def __reduce__(self) -> Any:
        return StandIn, ("the repository's training data", _ABSENT)


def placed(tensor: Any, device: str) -> Any:
    """Put a tensor on the kind of device that it was made on."""
    return tensor if device == "cpu" else tensor.to(device.partition(":")[0])


class Remote:
    """An object of prepare.py's, at a distance: its public attributes and methods."""

    def __init__(self, data: Data, told: dict[str, Any], moved: Moved | None = None) -> None:
        self._data, self._told, self._moved = data, told, moved

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = _attribute(self._data, self._told["number"], name, self._moved)
        if isinstance(found, _Method):
            self.__dict__[name] = found
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("__call__", *args, **kwargs)

    def __len__(self) -> int:
        length = self._told.get("length")
        if length is None:
            raise TypeError(f"object of type {self._told['name']!r} has no len()")
        return int(length)

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: Any) -> Any:
        return self._ask("__getitem__", key)

    def __contains__(self, key: Any) -> bool:
        return bool(self._ask("__contains__", key))

    def __repr__(self) -> str:
        return f"<{self._told['name']} of prepare.py>"

    def _ask(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return _Method(self._data, self._told["number"], name, self._moved)(*args, **kwargs)

    def __reduce__(self) -> Any:
        return StandIn, (f"the {self._told['name']} of prepare.py", _ABSENT)


class Loader(Remote):
    """A loader that begins again each time it is iterated over."""

    def __iter__(self) -> Iterator[Any]:
        number = self._data.ask(frames.AGAIN, self._told["number"].to_bytes(4, "little"))
        return Batches(self._data, {**self._told, "loader": number}, self._moved)


class Batches(Remote):
    """An iterator of training batches, each as the repository's own loader yields it."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._data.ask(frames.NEXT, self._told["loader"].to_bytes(4, "little"), moved=self._moved)

    def __reduce__(self) -> Any:
        return (iter, ((),))


class _Method:
    """A method of a remote object."""

    def __init__(self, data: Data, number: int, name: str, moved: Moved | None) -> None:
        self._data, self._number, self._moved = data, number, moved
        self.__name__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        more = {"object": self._number, "name": self.__name__, "called": True}
        return self._data.ask_with(frames.CALL, args, kwargs, self._moved, **more)["value"]

    def __reduce__(self) -> Any:
        return StandIn, (f"{self.__name__} of prepare.py", _ABSENT)


def _attribute(data: Data, number: int, name: str, moved: Moved | None) -> Any:
    found = data.ask_with(frames.CALL, (), {}, moved, object=number, name=name, called=False)
    return _Method(data, number, name, moved) if found["callable"] else found["value"]


def tokenizer_class(data: Data) -> Any:
    """Return the class that train.py finds in `prepare`: whatever it is made by, it is the repository's tokenizer."""

    class Kind(type):
        def __getattr__(cls, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            return _attribute(data, CLASS, name, None)

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            return _Method(data, CLASS, "__init__", None)(*args, **kwargs)

    class Served(Remote, metaclass=Kind):
        """The repository's tokenizer."""

    Served.__name__ = Served.__qualname__ = "Tokenizer"
    Served.__module__ = "prepare"
    data.tokenizer = Served
    return Served


def the_tokenizer(data: Data) -> Callable[..., Any]:
    """Return the function that stands for one of prepare.py's that gives its tokenizer."""

    def tokenizer(*args: Any, **kwargs: Any) -> Any:
        return Remote(data, {"number": TOKENIZER, "name": "tokenizer", "iterates": False})

    return tokenizer


def _made_of(kind: Any, data: Data, told: dict[str, Any]) -> Any:
    made = object.__new__(kind)
    Remote.__init__(made, data, told)
    return made


def _with_our_tokenizer(args: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a loader; if its tokenizer is the candidate's own, the repository's is meant."""
    found = [_OURS if at == 0 and _is_foreign(each) else each for at, each in enumerate(args)]
    named = ("tokenizer", "tok", "enc")
    return found, {
        name: _OURS if name in named and _is_foreign(value) else value for name, value in kwargs.items()
    }


def _is_foreign(value: Any) -> bool:
    if value is None or isinstance(value, bool | int | float | str | list | tuple | dict | Remote):
        return False
    try:
        values.encoded(value, [], _number_of)
    except values.Unknown:
        return True
    return False


def _number_of(value: Any) -> Any:
    """Return the form of an object that came from prepare.py; raise `Unknown` for any other."""
    if isinstance(value, _Ours):
        return {"!": "object", "number": TOKENIZER}
    if isinstance(value, Remote):
        return {"!": "object", "number": value._told["number"]}
    raise values.Unknown(
        f"a {type(value).__module__}.{type(value).__qualname__} can't be handed to prepare.py"
    )


class _Ours:
    """Stands for the tokenizer that the data jail has anyway."""


_OURS = _Ours()


def _error(name: str) -> type[Exception]:
    found = getattr(builtins, name, None)
    if not isinstance(found, type) or not issubclass(found, Exception):
        return RuntimeError
    return RuntimeError if issubclass(found, StopIteration | UnicodeError) else found
