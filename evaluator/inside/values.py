"""Values between the candidate and the data jail: JSON, with a stated form for what JSON does not know.

A value that JSON has no form for is an object with the key "!", which names its kind:

    tuple, set, frozenset     of: items            dict      of: pairs of key and value
    namedtuple                name, fields, of     made      name of a class of prepare.py, of: its attributes
    tensor, array             dtype, shape, at: which of the raw parts beside the JSON, device
    scalar                    dtype, of            bytes     of: base64
    device, dtype, size       of: text, text, list path      of: text
    complex, slice, range     of: numbers          ellipsis
    object                    number: what it is asked by, iterates, length, calls

Nothing is unpickled, and only plain values are built: the data jail reads what a candidate wrote.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import math
import types
from collections import namedtuple
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

DEEPEST = 40


class Unknown(TypeError):
    """A value that has no form here."""


def encoded(value: Any, parts: list[Any], other: Callable[[Any], Any] | None = None, depth: int = 0) -> Any:
    """Return `value` as JSON; raw data is added to `parts`. `other` makes something of what is not known here.

    Raises `Unknown` for what has no form.
    """
    if depth > DEEPEST:
        raise Unknown("a value that is nested too deeply")
    if value is None or type(value) in (bool, int, float, str):
        return value

    def many(items: Any) -> list[Any]:
        return [encoded(each, parts, other, depth + 1) for each in items]

    kind = type(value)
    found = _numeric(value, parts)
    if found is not None:
        return found
    if kind is list:
        return many(value)
    if kind is tuple:
        return {"!": "tuple", "of": many(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {"!": "namedtuple", "name": kind.__name__, "fields": list(value._fields), "of": many(value)}
    if kind in (set, frozenset):
        return {"!": kind.__name__, "of": many(value)}
    if isinstance(value, Mapping) and kind.__name__ in (
        "dict",
        "OrderedDict",
        "defaultdict",
        "mappingproxy",
        "Counter",
    ):
        if all(type(key) is str for key in value) and "!" not in value:
            return {key: encoded(each, parts, other, depth + 1) for key, each in value.items()}
        return {"!": "dict", "of": [many(pair) for pair in value.items()]}
    if isinstance(value, bytes | bytearray):
        return {"!": "bytes", "of": base64.b64encode(value).decode()}
    if isinstance(value, PurePath):
        return {"!": "path", "of": str(value)}
    if isinstance(value, complex):
        return {"!": "complex", "of": [value.real, value.imag]}
    if isinstance(value, slice | range):
        return {"!": kind.__name__, "of": many((value.start, value.stop, value.step))}
    if isinstance(value, types.SimpleNamespace):
        return {"!": "made", "name": "", "of": encoded(vars(value), parts, other, depth + 1)}
    if isinstance(value, enum.Enum):
        return encoded(value.value, parts, other, depth + 1)
    if isinstance(value, str | int | float):  # of a class of their own: what they say is what counts
        return str.__str__(value) if isinstance(value, str) else kind.__mro__[-2](value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        held = {each.name: getattr(value, each.name, None) for each in dataclasses.fields(value)}
        return {"!": "made", "name": kind.__qualname__, "of": encoded(held, parts, other, depth + 1)}
    if other is None:
        raise Unknown(f"a {kind.__module__}.{kind.__qualname__}")
    return other(value)


def _numeric(value: Any, parts: list[Any]) -> Any:
    """Return the form of what belongs to numpy or torch, or None."""
    home = type(value).__module__.partition(".")[0]
    if home not in ("numpy", "torch") and not hasattr(value, "__torch_function__"):
        return None
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        flat = value.detach().to("cpu").contiguous().clone().reshape(-1)  # loaders may fill a buffer again
        parts.append(flat.view(torch.uint8).numpy() if flat.numel() else np.zeros(0, np.uint8))
        place = {"at": len(parts) - 1, "device": str(value.device)}
        return {"!": "tensor", "dtype": _named(value.dtype), "shape": list(value.shape), **place}
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            return None
        parts.append(np.array(value, order="C").reshape(-1).view(np.uint8))
        return {"!": "array", "dtype": value.dtype.str, "shape": list(value.shape), "at": len(parts) - 1}
    if isinstance(value, np.generic) and not value.dtype.hasobject:
        return {"!": "scalar", "dtype": value.dtype.str, "of": base64.b64encode(value.tobytes()).decode()}
    if isinstance(value, torch.Size):
        return {"!": "size", "of": list(value)}
    if isinstance(value, torch.device):
        return {"!": "device", "of": str(value)}
    if isinstance(value, torch.dtype):
        return {"!": "dtype", "of": _named(value)}
    return None


def decoded(
    value: Any,
    parts: list[Any],
    *,
    made: Callable[[str, dict[str, Any]], Any] | None = None,
    found: Callable[[dict[str, Any]], Any] | None = None,
    moved: Callable[[Any, str], Any] | None = None,
) -> Any:
    """Return the value that `encoded` gave this form. `made` makes an object of a class of prepare.py, `found` an
    object by its number, `moved` puts a tensor where it belongs. Raises `ValueError` for a form that is none."""

    def one(item: Any) -> Any:
        return decoded(item, parts, made=made, found=found, moved=moved)

    if isinstance(value, list):
        return [one(each) for each in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("!")
    if kind is None:
        return {key: one(each) for key, each in value.items()}
    if kind in ("tensor", "array"):
        return _raw(value, parts, moved)
    if kind == "object" and found is not None:
        return found(value)
    if kind == "made" and made is not None:
        return made(str(value["name"]), one(value["of"]))
    if kind == "namedtuple":
        return namedtuple(str(value["name"]), value["fields"])(*one(value["of"]))
    if kind == "dict":
        return dict(one(value["of"]))
    simple = _SIMPLE.get(str(kind))
    if simple is None:
        raise ValueError(f"no form of a value: {str(kind)[:40]!r}")
    return simple(one(value["of"]), value)


def _raw(value: Mapping[str, Any], parts: list[Any], moved: Callable[[Any, str], Any] | None) -> Any:
    import numpy as np
    import torch

    data = np.frombuffer(parts[value["at"]], np.uint8)
    if value["!"] == "array":
        return data.view(np.dtype(value["dtype"])).reshape(value["shape"])
    dtype = _dtype(value["dtype"])
    if data.size:
        tensor = torch.from_numpy(data).view(dtype).reshape(value["shape"])
    else:
        tensor = torch.empty(value["shape"], dtype=dtype, device="cpu")
    return tensor if moved is None else moved(tensor, value["device"])


def _scalar(of: Any, value: Mapping[str, Any]) -> Any:
    import numpy as np

    dtype = np.dtype(value["dtype"])
    if dtype.hasobject:
        raise ValueError("no form of a value")
    return np.frombuffer(base64.b64decode(of), dtype)[0]


def _device(of: Any, value: Mapping[str, Any]) -> Any:
    import torch

    return torch.device(of)


def _size(of: Any, value: Mapping[str, Any]) -> Any:
    import torch

    return torch.Size(of)


def _dtype(name: str) -> Any:
    import torch

    found = getattr(torch, str(name), None)
    if not isinstance(found, torch.dtype):
        raise ValueError(f"no dtype of torch: {str(name)[:40]!r}")
    return found


def _named(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _path(of: Any, value: Mapping[str, Any]) -> Any:
    from pathlib import Path

    return Path(of)


_SIMPLE: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "tuple": lambda of, value: tuple(of),
    "set": lambda of, value: set(of),
    "frozenset": lambda of, value: frozenset(of),
    "bytes": lambda of, value: base64.b64decode(of),
    "path": _path,
    "complex": lambda of, value: complex(*of),
    "slice": lambda of, value: slice(*of),
    "range": lambda of, value: range(*of),
    "scalar": _scalar,
    "device": _device,
    "dtype": lambda of, value: _dtype(of),
    "size": _size,
}


class Packed(list[Any]):
    """The parts of one message: length of the header, header, raw data. `elements` is how many the first
    tensor or array has."""

    elements = 0


def packed(value: Any, other: Callable[[Any], Any] | None = None) -> Packed:
    """Return `value` as the parts of one message."""
    parts: list[Any] = []
    tree = encoded(value, parts, other)
    header = json.dumps({"value": tree, "sizes": [len(part) for part in parts]}).encode()
    header += b" " * (-(8 + len(header)) % 64)
    made = Packed([len(header).to_bytes(8, "little"), header, *parts])
    made.elements = _count(tree)
    return made


def unpacked(body: bytes | bytearray, **how: Any) -> Any:
    """Return the value in the body of a message. `how` is what `decoded` takes. Raises `ValueError`."""
    size = int.from_bytes(body[:8], "little")
    header = json.loads(bytes(body[8 : 8 + size]))
    view, at = memoryview(body), 8 + size
    parts: list[Any] = []
    for length in header["sizes"]:
        if not isinstance(length, int) or not 0 <= length <= len(view) - at:
            raise ValueError("a message that is shorter than it says")
        parts.append(view[at : at + length])
        at += length
    return decoded(header["value"], parts, **how)


def _count(tree: Any) -> int:
    """Return how many elements the first tensor or array in a value has."""
    if isinstance(tree, list):
        return next(filter(None, map(_count, tree)), 0)
    if not isinstance(tree, dict):
        return 0
    if tree.get("!") in ("tensor", "array"):
        return math.prod(tree["shape"])
    return next(filter(None, map(_count, tree.values())), 0)
