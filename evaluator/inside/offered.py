"""What the repository's prepare.py offers a candidate, asked for by number: tokenizers, loaders, constants.

Whoever asks is the candidate: it gets what prepare.py gives to a script that trains, and no part that is measured.
"""

from __future__ import annotations

import inspect
import itertools
import json
import os
import re
import types
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from . import repository, values
from .splits import Splits, held_out

MOST_OBJECTS = 10_000
LONGEST_TEXT, LONGEST_LIST, LONGEST_WORD = 4096, 256, 64  # of the values of names that a candidate lacks
SMALL = 1 << 16  # bytes of what a loader's attributes may say
DEVICE = re.compile(r"(cpu|cuda|mps|xpu|hip|hpu|npu|meta)(:\d+)?")
RANKS = ("rank", "ddp_rank", "process_rank", "local_rank")
WORLDS = ("world_size", "ddp_world_size", "num_processes", "num_replicas")
_READS = re.compile(r"load|open|read|file|save|train|pretrained|import")  # methods that do more than encode
_NOT_SERVED = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, type)
SPECIAL = {"__len__", "__call__", "__getitem__", "__contains__"}
CLASS, TOKENIZER = 0, 1  # the numbers of prepare.Tokenizer and of the one that it gives


class Offered:
    """What one candidate was given so far, by number."""

    def __init__(self, prepare: Any, splits: Splits, tokenizer: Any) -> None:
        self.prepare = prepare
        self.splits = splits
        self.objects: list[Any] = [getattr(prepare, "Tokenizer", None), tokenizer]
        self.loaders: set[int] = set()
        self.guarded: set[int] = set()  # what belongs to a loader

    # Objects

    def remember(self, value: Any, *, loader: bool = False, guarded: bool = False) -> dict[str, Any]:
        """Return what to call an object that can't be sent."""
        if isinstance(value, _NOT_SERVED):
            raise values.Unknown(f"a {type(value).__name__} of prepare.py is not served")
        if len(self.objects) >= MOST_OBJECTS:
            raise MemoryError(f"more than {MOST_OBJECTS} objects of prepare.py are in use")
        self.objects.append(value)
        number = len(self.objects) - 1
        if loader:
            self.loaders.add(number)
        if guarded:
            self.guarded.add(number)
        length: int | None = None
        if hasattr(type(value), "__len__"):
            try:
                length = len(value)
            except (TypeError, NotImplementedError):  # a DataLoader over a stream, for example
                length = None
        kind = getattr(self.prepare, "Tokenizer", None)
        return {
            "!": "object",
            "number": number,
            "iterator": hasattr(value, "__next__"),
            "iterates": hasattr(value, "__iter__"),
            "length": length,
            "calls": callable(value),
            "tokenizer": isinstance(kind, type) and isinstance(value, kind),
            "name": type(value).__name__,
        }

    def call(self, asked: Mapping[str, Any]) -> Any:
        """Return an attribute of an object, or what a method of it gives. Raises what it raises."""
        number, name = int(asked["object"]), str(asked["name"])
        target = self.objects[number]
        if (name.startswith("_") and name not in SPECIAL and name != "__init__") or held_out(name):
            raise AttributeError(name)
        if number == CLASS and name == "__init__":
            _refuse_paths(name, asked["args"], asked["kwargs"], made=True)
            return target(*asked["args"], **asked["kwargs"])
        guarded = number in self.guarded or number in self.loaders
        found = getattr(target, name)
        if not asked["called"]:
            if guarded and not callable(found):
                _require_small(found, name)
            return found
        if number in self.guarded:
            raise AttributeError(f"{name} of something that belongs to a loader is not served")
        _refuse_paths(name, asked["args"], asked["kwargs"], made=number == CLASS)
        return found(*asked["args"], **asked["kwargs"])

    def other(self, number: int | None) -> Any:
        """Return what makes something of values that have no form, for answers about object `number`."""
        guarded = number is not None and (number in self.guarded or number in self.loaders)
        return lambda value: self.remember(value, guarded=guarded)

    # Loaders

    def make_loader(self, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Return what make_dataloader gives for these arguments.

        Raises `PermissionError` if they name a part that is held out.
        """
        signature = repository.parameters_of(self.prepare, "make_dataloader")
        if signature is None:
            self._check("", [*args, *kwargs.values()], None)
            return self.prepare.make_dataloader(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        for name, value in list(bound.arguments.items()):
            parameter = signature.parameters[name]
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                for key, each in value.items():
                    self._check(key, each, inspect.Parameter.empty)
            elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                for each in value:
                    self._check("", each, inspect.Parameter.empty)
            else:
                self._check(name, value, parameter.default)
        put_on_the_cpu(signature, bound)
        return self.prepare.make_dataloader(*bound.args, **bound.kwargs)

    def takes_ranks(self) -> bool:
        """Whether the repository's loader is told which of several processes it serves."""
        signature = repository.parameters_of(self.prepare, "make_dataloader")
        names = set(signature.parameters) if signature is not None else set()
        return not names.isdisjoint(RANKS) and not names.isdisjoint(WORLDS)

    def _check(self, name: str, value: Any, default: Any) -> None:
        if isinstance(value, list | tuple):
            for each in value:
                self._check(name, each, default)
            return
        if name == self.splits.parameter:
            if not self.splits.allows(value):
                known = " or ".join(map(repr, self.splits.training)) or "'train'"
                raise PermissionError(
                    f"the split {value!r} is not there while a candidate trains; use {known}"
                )
            return
        if value is False and name in ("train", "training", "is_train", "is_training"):
            raise PermissionError(
                f"{name}=False: what is not for training is not there while a candidate trains"
            )
        if not isinstance(value, str | PurePath) or (type(default) is type(value) and value == default):
            return
        text = str(value)
        if any(text == str(known) for key, known in vars(self.prepare).items() if not held_out(key)):
            return
        places = ("dir", "path", "file", "filename", "root", "folder", "source")
        if (
            held_out(name)
            or held_out(text)
            or text in self.splits.evaluated
            or "/" in text
            or any(part in places for part in name.lower().split("_"))
        ):
            raise PermissionError(f"{name or 'argument'}={text!r}: which data is read is prepare.py's to say")

    # Constants

    def names(self, wanted: list[Any]) -> dict[str, Any]:
        """Return the values of those names that a candidate may have: constants and vocabularies, no data."""
        return {
            name: vars(self.prepare)[name]
            for name in wanted
            if isinstance(name, str)
            and name in vars(self.prepare)
            and _may_be_told(name, vars(self.prepare)[name])
        }


def tokenizer_of(prepare: Any) -> Any:
    """Return the repository's tokenizer, by the ways that repositories have."""
    kind = getattr(prepare, "Tokenizer", None)
    for owner, name in ((kind, "from_directory"), (prepare, "get_tokenizer"), (prepare, "load_tokenizer")):
        make = getattr(owner, name, None)
        if make is not None:
            return make()
    if kind is not None:
        return kind()
    raise AttributeError("prepare.py has no Tokenizer")


class Source:
    """Batches for several processes: each takes every so many-th of one loader's."""

    def __init__(self, loader: Iterator[Any], world: int) -> None:
        self._loader, self._world = loader, world
        self._waiting: list[deque[Any]] = [deque() for _ in range(world)]
        self._turn = 0

    def of(self, rank: int) -> Iterator[Any]:
        """Yield the batches of one process."""
        mine = self._waiting[rank]
        while True:
            while not mine:
                try:
                    packed = values.packed(next(self._loader))  # at once: it may fill the same buffer again
                except StopIteration:
                    return
                self._waiting[self._turn % self._world].append(packed)
                self._turn += 1
            yield mine.popleft()


def with_rank(rank: int, world: int) -> dict[str, str]:
    """Return the environment in which a launcher starts one of several processes."""
    return {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}


def put_on_the_cpu(signature: inspect.Signature, bound: inspect.BoundArguments) -> None:
    """Let a loader make its batches where they are packed: whoever asked puts them where it wants them."""
    import torch

    def there(value: Any) -> Any:
        if isinstance(value, torch.device):
            return torch.device("cpu")
        return "cpu" if isinstance(value, str) and DEVICE.fullmatch(value) else value

    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD and name in bound.arguments:
            bound.arguments[name] = {key: there(value) for key, value in bound.arguments[name].items()}
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL and name in bound.arguments:
            bound.arguments[name] = tuple(map(there, bound.arguments[name]))
        elif name in bound.arguments:
            bound.arguments[name] = there(bound.arguments[name])
        elif (
            parameter.default is not inspect.Parameter.empty
            and there(parameter.default) is not parameter.default
        ):
            bound.arguments[name] = there(parameter.default)


def _may_be_told(name: str, value: Any) -> bool:
    import numpy as np
    import torch

    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | complex):
        return True
    if isinstance(value, str | bytes | PurePath):
        return len(str(value)) <= (SMALL >> 8 if held_out(name) else LONGEST_TEXT)
    if held_out(name):
        return False
    if isinstance(value, np.ndarray | torch.Tensor):
        return int(np.prod(tuple(value.shape), dtype=np.int64)) <= LONGEST_LIST
    if isinstance(value, Mapping):
        if len(value) > 1 << 20 or not all(map(_is_word, value)):
            return False
        if all(map(_is_word, value.values())):
            return True
        return len(value) <= LONGEST_LIST and all(
            not held_out(str(key)) and _may_be_told(str(key), each) for key, each in value.items()
        )
    if isinstance(value, list | tuple | set | frozenset | range):
        if len(value) <= LONGEST_LIST:
            return all(_may_be_told(name, each) for each in value)
        # A vocabulary says each word once; a text does not.
        return all(isinstance(each, str) and _is_word(each) for each in value) and len(set(value)) == len(
            value
        )
    return isinstance(value, torch.device | torch.dtype | torch.Size)


def _is_word(value: Any) -> bool:
    import numpy as np

    short = isinstance(value, str | bytes) and len(value) <= LONGEST_WORD
    return short or value is None or isinstance(value, bool | int | float | np.generic)


def _require_small(value: Any, name: str) -> None:
    try:
        parts: list[Any] = []
        size = len(json.dumps(values.encoded(value, parts))) + sum(map(len, parts))
    except values.Unknown:
        return  # an object of its own, of which the same holds
    if size > SMALL:
        raise AttributeError(f"{name} of a loader is too large to be served")


def _refuse_paths(name: str, args: Any, kwargs: Mapping[str, Any], *, made: bool) -> None:
    """Raise `PermissionError` for a call that would have a file read; one that makes a tokenizer may read its own."""
    for value in itertools.chain(args, kwargs.values()):
        if not isinstance(value, str | PurePath) or len(str(value)) > 4096:
            continue
        refused = held_out(PurePath(value).name) if made else bool(_READS.search(name)) or _is_a_path(value)
        if refused:
            raise PermissionError(f"{str(value)!r}: a candidate can't have files read for it")


def _is_a_path(value: str | PurePath) -> bool:
    try:
        return os.sep in str(value) and os.path.lexists(value)
    except ValueError:  # a zero byte: a text
        return False
