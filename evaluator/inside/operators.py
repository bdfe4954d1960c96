"""Operators of `torch.library` that a script registers: noted when it does, and registered again elsewhere."""

from __future__ import annotations

import functools
import sys
import types
from typing import Any

from . import elsewhere

_calls: list[tuple[str, str, tuple[Any, ...], dict[str, Any]]] = []
_carried_out: set[tuple[str, str, str, str]] = set()
_kept: list[Any] = []  # a Library that is forgotten takes its operators along


def watch() -> None:
    """Note what is given to `torch.library.Library` from now on."""
    import torch.library

    for name in ("define", "impl", "_register_fake"):
        original = getattr(torch.library.Library, name, None)
        if original is not None:
            setattr(torch.library.Library, name, _noting(name, original))


def _noting(name: str, original: Any) -> Any:
    @functools.wraps(original)
    def noting(library: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(library, *args, **kwargs)
        _calls.append((name, str(getattr(library, "ns", "")), args, kwargs))
        return result

    return noting


class _Calls:
    """Calls that are made again when their pickle is read: before the model, which may name their operators."""

    def __init__(self, calls: list[Any]) -> None:
        self.calls = calls

    def __reduce__(self) -> Any:
        return _register, (self.calls,)


def registered() -> dict[str, Any]:
    """Return all operators that another process does not get by importing what it can: whole ones, and calls."""
    custom = [each for each in _definitions() if not elsewhere.named(_home(each._init_fn))]
    whole = {f"{each._namespace}::{each._name}" for each in _definitions()}
    wanted: dict[str, set[str]] = {}
    for method, namespace, args, _ in _calls:
        if method != "define" and args and isinstance(args[0], str) and len(args) > 1:
            function = args[1]
            if callable(function) and not elsewhere.named(_home(function)):
                wanted.setdefault(namespace, set()).add(_plain(args[0]))
    calls = []
    for method, namespace, args, kwargs in _calls:
        name = _plain(args[0]) if args and isinstance(args[0], str) else ""
        mine = name in wanted.get(namespace, ()) and f"{namespace}::{name}" not in whole
        if mine and (method == "define" or not elsewhere.named(_home(args[1]))):
            kept = {key: value for key, value in kwargs.items() if key != "_stacklevel"}
            calls.append((method, namespace, args, kept))
    return {"custom": custom, "calls": _Calls(calls)}


def _register(calls: list[tuple[str, str, tuple[Any, ...], dict[str, Any]]]) -> None:
    import torch.library

    for method, namespace, args, kwargs in calls:
        said = (method, namespace, str(args[0]), str(args[2:]))
        if said in _carried_out:
            continue
        _carried_out.add(said)
        library = torch.library.Library(namespace, "FRAGMENT")
        _kept.append(library)
        getattr(library, method)(*args, **kwargs)


def reduced(obj: Any) -> Any:
    """Return how to pickle an operator, or what holds operators; None for anything else."""
    import torch

    ops = torch._ops
    if isinstance(obj, ops.OpOverload):
        return _operator, (obj._namespace, obj._opname, obj._overloadname)
    if isinstance(obj, ops.OpOverloadPacket):
        namespace, _, name = obj._qualified_op_name.partition("::")
        return _operator, (namespace, name, None)
    if isinstance(obj, ops._OpNamespace):
        return _namespace, (obj.name,)
    if type(obj).__name__ == "CustomOpDef" and type(obj).__module__.startswith("torch."):
        if elsewhere.named(_home(obj._init_fn)):
            return _definition, (obj._qualname, _home(obj._init_fn))
        kernels = {device: _inner(function) for device, function in obj._backend_fns.items()}
        tags = tuple(getattr(obj, "_tags", ()) or ())
        return _defined, (
            obj._namespace,
            obj._name,
            obj._schema,
            tags,
            obj._init_fn,
            kernels,
            obj._abstract_fn,
        )
    return None


def _operator(namespace: str, name: str, overload: str | None) -> Any:
    import torch

    packet = getattr(getattr(torch.ops, namespace), name)
    return packet if overload is None else getattr(packet, overload or "default")


def _namespace(name: str) -> Any:
    import torch

    return getattr(torch.ops, name)


def _definition(name: str, module: str) -> Any:
    __import__(module)
    return next(each for each in _definitions() if each._qualname == name)


def _defined(
    namespace: str, name: str, schema: str, tags: Any, function: Any, kernels: Any, fake: Any
) -> Any:
    from torch._library.custom_ops import CustomOpDef

    for each in _definitions():
        if each._qualname == f"{namespace}::{name}":
            return each
    try:
        made = CustomOpDef(namespace, name, schema, function, tags)
    except TypeError:  # an older PyTorch, which has no tags there
        made = CustomOpDef(namespace, name, schema, function)
    for device, kernel in kernels.items():
        made.register_kernel(device)(kernel)
    if fake is not None:
        made.register_fake(fake)
    _kept.append(made)
    return made


def _definitions() -> list[Any]:
    module = sys.modules.get("torch._library.custom_ops")
    return list(getattr(module, "OPDEFS", {}).values())


def _inner(wrapped: Any) -> Any:
    """Return the function that was registered as a kernel, out of what PyTorch has made of it."""
    seen = wrapped
    for _ in range(4):
        if not isinstance(seen, types.FunctionType) or not seen.__module__.startswith("torch."):
            break
        cells = dict(zip(seen.__code__.co_freevars, seen.__closure__ or (), strict=True))
        if "fn" not in cells:
            break
        seen = cells["fn"].cell_contents
    return seen


def _home(function: Any) -> str:
    return str(getattr(function, "__module__", None) or "__main__")


def _plain(schema: str) -> str:
    """Return an operator's name out of its name or schema."""
    return schema.partition("(")[0].partition("::")[2].strip() or schema.partition("(")[0].strip()
