"""A model by value: out of the process that trained it, into one that shares nothing else with it.

Classes and functions of train.py go by value too (cloudpickle), so that the other process need not run it. The
bytes are for a jail only: nobody else may read them.
"""

from __future__ import annotations

import linecache
import sys
import types
from typing import Any, BinaryIO, Protocol

import torch

from . import elsewhere, operators, pickler, repository
from .standin import StandIn, Unportable


class Writable(Protocol):
    """What `pack` needs of a file."""

    def write(self, data: Any, /) -> int: ...

    def flush(self) -> None: ...


class _Around:
    """What must be there before the model is rebuilt: its pickle does that, when it is read."""

    def __reduce__(self) -> Any:
        return _surround, (elsewhere.paths(), elsewhere.sources(), repository.fetched())


def _surround(paths: list[str], sources: dict[str, str], values: dict[str, Any]) -> None:
    sys.path.extend(each for each in paths if each not in sys.path)
    for name, text in sources.items():
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    prepare = sys.modules.get("prepare")
    if prepare is not None:
        vars(prepare).update(values)


# What torch.save asks of a "pickle module".
_MODULE = types.SimpleNamespace(__name__="nocturne", Pickler=pickler.Pickler)


def pack(model: Any, file: Writable) -> None:
    """Write `model` to `file`. Raises `Unportable`, which names what can't be handed over."""
    limit = sys.getrecursionlimit()
    whole = {
        "around": _Around(),
        "operators": operators.registered(),
        "model": pickler.unwrapped(model),
    }
    try:
        sys.setrecursionlimit(max(limit, 10_000))
        torch.save(whole, file, pickle_module=_MODULE, pickle_protocol=pickler.PROTOCOL)
    except Unportable:
        raise
    except RecursionError:
        raise Unportable("the model is nested too deeply to be handed over") from None
    except (OSError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise Unportable(f"{pickler.described(model)} can't be taken out of this process: {error}") from error
    finally:
        sys.setrecursionlimit(limit)


def unpack(file: BinaryIO) -> Any:
    """Return the model that `pack` wrote. Runs whatever the packer wanted: for a jail only."""
    found = torch.load(file, weights_only=False)
    model = found["model"]
    if isinstance(model, StandIn):
        raise Unportable(f"the model is {model!r}")
    return model


def numerics(model: Any, device: str) -> dict[str, Any]:
    """Return the settings of torch that change what a model says, as JSON."""
    return {
        "compiled": is_compiled(model),
        "device": device,
        "autocast": torch.is_autocast_enabled(device),
        "autocast_dtype": str(torch.get_autocast_dtype(device)).removeprefix("torch."),
        "default_dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "default_device": str(torch.get_default_device()),
        "matmul": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def is_compiled(model: Any) -> bool:
    """Whether `model` runs compiled as a whole."""
    return pickler.uncompiled(model) is not model or (
        isinstance(model, torch.nn.Module) and getattr(model, "_compiled_call_impl", None) is not None
    )


def apply(settings: dict[str, Any]) -> Any:
    """Set what `numerics` told; return the context in which the model is to be asked."""
    torch.set_default_dtype(getattr(torch, settings["default_dtype"]))
    torch.set_float32_matmul_precision(settings["matmul"])
    if settings["deterministic"]:  # the call imports a compiler, a second of work
        torch.use_deterministic_algorithms(True, warn_only=True)
    device = settings["device"]
    # What is compiled rounds otherwise in bfloat16; a compiler on a CPU would take longer than it is worth.
    pickler.compile_again = device != "cpu"
    if settings["default_device"] != "cpu":
        torch.set_default_device(settings["default_device"])
    dtype = getattr(torch, settings["autocast_dtype"])
    return torch.autocast(device, dtype=dtype, enabled=settings["autocast"])
