"""Lets code that asks for CUDA or pinned memory run on a machine that has none: everything lies on the CPU."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_MOVES = {"cuda", "pin_memory"}


class _OnTheCpu(TorchFunctionMode):  # type: ignore[misc]
    """Changes what torch is asked for, as far as that names a device or pinned memory."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        if func in _METHODS and getattr(func, "__name__", "") in _MOVES:
            return args[0]
        if given.get("pin_memory"):
            given["pin_memory"] = False
        if "device" in given:
            given["device"] = _there(given["device"])
        if func is torch.Tensor.to:
            args = tuple(map(_there, args))
        return func(*args, **given)


_METHODS = {torch.Tensor.cuda, torch.Tensor.pin_memory}


def _there(value: Any) -> Any:
    named = isinstance(value, torch.device) or (isinstance(value, str) and value.partition(":")[0] == "cuda")
    return torch.device("cpu") if named and torch.device(value).type == "cuda" else value


def where_there_is_none() -> contextlib.AbstractContextManager[Any]:
    """Return the context in which prepare.py's functions are called in the data jail."""
    return contextlib.nullcontext() if torch.cuda.is_available() else _OnTheCpu()
