"""A model by value: out of the process that trained it, into one that shares nothing else with it.

Classes and functions of train.py go by value too (cloudpickle), so that the other process need not run it. The
bytes are for a jail only: nobody else may read them.
"""

from __future__ import annotations

import copyreg
import operator
import threading
import types
from typing import Any, BinaryIO, Protocol

import cloudpickle
import torch
from torch import nn

_LOCK, _RLOCK = type(threading.Lock()), type(threading.RLock())


class Writable(Protocol):
    """What `pack` needs of a file."""

    def write(self, data: Any, /) -> int: ...

    def flush(self) -> None: ...


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Knows what else is found in models: compiled parts, parametrized modules, locks, generators."""

    def reducer_override(self, obj: Any) -> Any:
        inner = _uncompiled(obj)
        if inner is not obj:
            return operator.itemgetter(0), ((inner,),)
        if isinstance(obj, _LOCK):
            return threading.Lock, ()
        if isinstance(obj, _RLOCK):
            return threading.RLock, ()
        if isinstance(obj, types.GeneratorType):
            return iter, ((),)
        if isinstance(obj, nn.Module) and hasattr(obj, "parametrizations"):
            # Its class refuses to be pickled, because it is made on the fly; here the class goes along.
            return copyreg.__newobj__, (type(obj),), obj.__dict__  # type: ignore[attr-defined]
        return super().reducer_override(obj)


def _uncompiled(obj: Any) -> Any:
    """Return what torch.compile was given, where `obj` is what it made of it."""
    if isinstance(obj, nn.Module):
        return obj.__dict__.get("_modules", {}).get("_orig_mod", obj)
    if isinstance(obj, types.FunctionType):
        return obj.__dict__.get("_torchdynamo_orig_callable", obj)
    return obj


# What torch.save asks of a "pickle module".
_MODULE = types.SimpleNamespace(__name__="nocturne", Pickler=_Pickler)


def pack(model: Any, file: Writable) -> None:
    """Write `model` to `file`. Raises what pickling raises."""
    torch.save({"model": model}, file, pickle_module=_MODULE)


def unpack(file: BinaryIO) -> Any:
    """Return the model that `pack` wrote. Runs whatever the packer wanted: for a jail only."""
    return torch.load(file, weights_only=False)["model"]


def numerics(model: Any, device: str) -> dict[str, Any]:
    """Return the settings of torch that change what a model says, as JSON."""
    return {
        "compiled": _uncompiled(model) is not model,
        "device": device,
        "autocast": torch.is_autocast_enabled(device),
        "autocast_dtype": str(torch.get_autocast_dtype(device)).removeprefix("torch."),
        "default_dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "matmul": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def apply(settings: dict[str, Any]) -> Any:
    """Set what `numerics` told; return the context in which the model is to be asked."""
    torch.set_default_dtype(getattr(torch, settings["default_dtype"]))
    torch.set_float32_matmul_precision(settings["matmul"])
    if settings["deterministic"]:  # the call imports a compiler, a second of work
        torch.use_deterministic_algorithms(True, warn_only=True)
    device = settings["device"]
    dtype = getattr(torch, settings["autocast_dtype"])
    return torch.autocast(device, dtype=dtype, enabled=settings["autocast"])
