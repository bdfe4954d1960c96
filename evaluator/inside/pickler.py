"""How each kind of object goes by value: what `pickle` and `cloudpickle` do not know, or know wrongly here.

Objects that can't be pickled and need not be (files, sockets, loggers of services, optimizers) become stand-ins, which
say their names where they are used. A module or tensor that can't be pickled is no such thing: the model is refused.
"""

from __future__ import annotations

import contextvars
import copyreg
import dataclasses
import dis
import functools
import io
import operator
import sys
import threading
import types
import weakref
from collections.abc import Iterator
from typing import Any

import cloudpickle
import torch
from torch import nn

from . import elsewhere, operators
from .standin import StandIn, Unportable

PROTOCOL = 5

_LOCK, _RLOCK = type(threading.Lock()), type(threading.RLock())
_CACHED = type(functools.lru_cache(maxsize=1)(lambda: None))
_BUILTIN = types.BuiltinFunctionType
_NEVER_NEEDED = (
    torch.optim.Optimizer,
    torch.optim.lr_scheduler.LRScheduler,
    torch.utils.data.DataLoader,
)
_ENDED = (types.CoroutineType, types.AsyncGeneratorType, types.FrameType, types.TracebackType)
_SENTINELS = {
    id(getattr(dataclasses, name)): name for name in ("_FIELD", "_FIELD_CLASSVAR", "_FIELD_INITVAR")
}
_SENTINELS |= {
    id(getattr(dataclasses, name)): name for name in ("MISSING", "KW_ONLY") if hasattr(dataclasses, name)
}

# Whether functions and modules that were compiled are compiled again where they are rebuilt: see `shipping.apply`.
compile_again = False


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles a model so that a process that shares nothing but files can rebuild it."""

    def reducer_override(self, obj: Any) -> Any:
        known = _known(obj)
        if known is not None:
            return known
        if isinstance(obj, types.FunctionType) or issubclass(type(obj), type):
            return self._code(obj)
        return self._plain(obj)

    def _code(self, obj: Any) -> Any:
        """Reduce a function or a class."""
        name = getattr(obj, "__module__", None)
        module = sys.modules.get(name) if isinstance(name, str) else None
        if isinstance(name, str) and name != "__main__" and module is not None and not elsewhere.named(name):
            if elsewhere.by_path(module):
                found = _attribute_of(module, obj.__qualname__)
                if found is obj:
                    return _attribute_of, (module, obj.__qualname__)
            elif name not in cloudpickle.list_registry_pickle_by_value():
                cloudpickle.register_pickle_by_value(module)
        found = super().reducer_override(obj)
        if isinstance(obj, types.FunctionType) and isinstance(found, tuple):
            # cloudpickle hands these over with a function, and lets go of them where it is rebuilt.
            _, slots = found[2]
            slots.setdefault("_cloudpickle_submodules", []).extend(_imported_by(obj.__code__))
        return found

    def _plain(self, obj: Any) -> Any:
        """Reduce any other object as `pickle` would, and put a stand-in if that is impossible."""
        kind = type(obj)
        if kind in (bytearray, type(Ellipsis), type(NotImplemented)):
            return NotImplemented
        try:
            how = self.dispatch_table.get(kind)
            found = how(obj) if how is not None else obj.__reduce_ex__(PROTOCOL)
        except RecursionError:
            raise
        except Exception as error:
            if isinstance(obj, nn.Module | torch.Tensor):
                raise Unportable(f"{described(obj)} can't be taken out of this process: {error}") from error
            return StandIn, (described(obj),)
        if isinstance(found, str):
            home = getattr(obj, "__module__", None)
            if not isinstance(home, str) or elsewhere.named(home):
                return found
            return StandIn, (described(obj),)
        return found


def described(obj: Any) -> str:
    """Return what to call an object that somebody has to find in a program."""
    kind = type(obj)
    name = getattr(obj, "name", None)
    told = f" ({name})" if isinstance(obj, io.IOBase) and isinstance(name, str) else ""
    home = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    return f"a {home}{kind.__qualname__}{told}"


def uncompiled(obj: Any) -> Any:
    """Return what torch.compile was given, where `obj` is what it made of it."""
    if isinstance(obj, nn.Module):
        parts = obj.__dict__.get("_modules")  # of a scripted module it is no dict
        return parts.get("_orig_mod", obj) if isinstance(parts, dict) else obj
    if isinstance(obj, types.FunctionType):
        return obj.__dict__.get("_torchdynamo_orig_callable", obj)
    return obj


def unwrapped(model: Any) -> Any:
    """Return the model itself, where it was compiled or wrapped to train on several devices."""
    for _ in range(8):
        inner = uncompiled(model)
        if isinstance(inner, nn.parallel.DistributedDataParallel | nn.DataParallel):
            inner = inner.module
        if inner is model:
            break
        model = inner
    return model


def _known(obj: Any) -> Any:
    """Return how to pickle one of the kinds that are known here, or None."""
    if isinstance(obj, nn.Module):
        return _module(obj)
    if isinstance(obj, torch.Tensor):
        return None
    inner = uncompiled(obj)
    if inner is not obj:
        return _compiled, (inner,)
    if isinstance(obj, types.ModuleType):
        return operators.reduced(obj) or elsewhere.reduced(obj)
    if id(obj) in _SENTINELS:
        return getattr, (dataclasses, _SENTINELS[id(obj)])
    for kinds, reduce in _KINDS:
        if isinstance(obj, kinds):
            return reduce(obj)
    if type(obj).__module__.startswith("triton."):
        return _triton(obj)
    return operators.reduced(obj)


def _module(obj: nn.Module) -> Any:
    inner = unwrapped(obj)
    if inner is not obj:
        again = uncompiled(obj) is not obj
        return (_compiled if again else _itself), (inner,)
    if isinstance(obj, torch.jit.ScriptModule):
        buffer = io.BytesIO()
        torch.jit.save(obj, buffer)
        return _scripted, (buffer.getvalue(),)
    if type(obj).__name__ in ("FullyShardedDataParallel", "DeepSpeedEngine"):
        raise Unportable(
            f"{described(obj)} holds a part of the model only: hand the whole model to evaluate_bpb"
        )
    if hasattr(obj, "parametrizations"):
        # Its class refuses to be pickled, because it is made on the fly; here the class goes along.
        return copyreg.__newobj__, (type(obj),), obj.__dict__  # type: ignore[attr-defined]
    return None


def _compiled(inner: Any) -> Any:
    return torch.compile(inner) if compile_again else inner


def _itself(inner: Any) -> Any:
    return inner


def _scripted(data: bytes) -> Any:
    return torch.jit.load(io.BytesIO(data))


def _triton(obj: Any) -> Any:
    """Reduce a kernel that `triton.jit` made of a function; everything else of Triton's is plain."""
    if type(obj).__name__ not in ("JITFunction", "InterpretedFunction"):
        return None
    names = (
        "do_not_specialize",
        "do_not_specialize_on_alignment",
        "debug",
        "noinline",
        "version",
        "launch_metadata",
    )
    given = {name: getattr(obj, name) for name in names if getattr(obj, name, None) is not None}
    return _kernel, (obj.fn, given)


def _kernel(function: Any, given: dict[str, Any]) -> Any:
    import inspect

    import triton

    known = inspect.signature(triton.jit).parameters
    return triton.jit(**{name: value for name, value in given.items() if name in known})(function)


def _weak(obj: Any) -> Any:
    target = obj()
    return (_dead, ()) if target is None else (weakref.ref, (target,))


def _dead() -> Any:
    return weakref.ref(type("Gone", (), {})())


def _weak_mapping(obj: Any) -> Any:
    keys = isinstance(obj, weakref.WeakKeyDictionary)
    return _filled, ("WeakKeyDictionary" if keys else "WeakValueDictionary", list(obj.items()))


def _filled(name: str, items: list[Any]) -> Any:
    made = getattr(weakref, name)()
    for key, value in items:
        try:
            made[key] = value
        except TypeError:  # a stand-in for what was weakly held, for example
            continue
    return made


def _variable(obj: contextvars.ContextVar[Any]) -> Any:
    value = obj.get(None)
    return contextvars.ContextVar, (obj.name,), value, None, None, _set


def _set(variable: contextvars.ContextVar[Any], value: Any) -> None:
    variable.set(value)


def _cached(obj: Any) -> Any:
    home = getattr(obj, "__module__", None)
    if isinstance(home, str) and elsewhere.named(home):
        return None
    given = obj.cache_parameters()
    return _cached_again, (obj.__wrapped__, given["maxsize"], given["typed"])


def _cached_again(function: Any, maxsize: int | None, typed: bool) -> Any:
    return functools.lru_cache(maxsize=maxsize, typed=typed)(function)


def _native(obj: Any) -> Any:
    """Reduce a function of a compiled module that another process does not find by name."""
    module = getattr(obj, "__self__", None)
    if isinstance(module, types.ModuleType) and not elsewhere.named(module.__name__):
        return getattr, (module, obj.__name__)
    return None


def _imported_by(code: types.CodeType) -> Iterator[types.ModuleType]:
    """Yield the modules that `code` imports when it runs, and that were made up: another process finds no file."""
    for each in dis.get_instructions(code):
        if each.opname == "IMPORT_NAME" and (module := elsewhere.made_up(each.argval)) is not None:
            yield module
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _imported_by(inner)


def _attribute_of(module: types.ModuleType, name: str) -> Any:
    try:
        return operator.attrgetter(name)(module)
    except AttributeError:
        return None


_KINDS: tuple[tuple[Any, Any], ...] = (
    (_LOCK, lambda obj: (threading.Lock, ())),
    (_RLOCK, lambda obj: (threading.RLock, ())),
    (types.GeneratorType, lambda obj: (iter, ((),))),
    (_ENDED, lambda obj: (StandIn, (described(obj),))),
    (_NEVER_NEEDED, lambda obj: (StandIn, (described(obj),))),
    (weakref.ref, _weak),
    ((weakref.WeakKeyDictionary, weakref.WeakValueDictionary), _weak_mapping),
    (weakref.WeakSet, lambda obj: (weakref.WeakSet, (list(obj),))),
    (contextvars.ContextVar, _variable),
    (types.MappingProxyType, lambda obj: (types.MappingProxyType, (dict(obj),))),
    (torch.layout, lambda obj: (getattr, (torch, str(obj).removeprefix("torch.")))),
    (_CACHED, _cached),
    (_BUILTIN, _native),
)
