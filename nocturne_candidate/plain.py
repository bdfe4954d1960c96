"""Plain data as bytes, and back: what may pass between a locked script and a candidate. Nothing is unpickled.

Numbers, texts, bytes, lists, tuples, dicts, True, False and None, arrays of numpy and tensors of torch, inside of each
other. What comes back is of exactly these types, whatever was sent. As JSON, with an object {"!": KIND, ...} for what
JSON has no form for, and raw data beside it:

    tuple   of: items         dict     of: pairs        int      of: hexadecimal digits
    bytes   at: which part    array    at, dtype, shape     scalar   at, dtype     tensor   at, dtype, shape
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from typing import Any

DEEPEST = 40  # lists inside of lists
MOST_JSON = 16 << 20  # bytes
MOST_RAW = 256 << 20  # bytes of arrays, tensors and bytes together
MOST = MOST_JSON + MOST_RAW
KNOWN = "numbers, texts, bytes, lists, tuples, dicts, None, arrays of numpy and tensors of torch"
_SAFE = 2**53  # JSON of others than ours may hold no larger number exactly


class NotPlain(ValueError):
    """A value, or a message, that is no plain data, or more than is taken."""


def packed(value: Any) -> bytes:
    """Return `value` as bytes. Raises `NotPlain`."""
    parts: list[Any] = []
    tree = _encoded(value, parts, 0)
    sizes = [memoryview(part).nbytes for part in parts]
    header = json.dumps({"value": tree, "sizes": sizes}).encode()
    if len(header) > MOST_JSON:
        raise NotPlain(f"more than {MOST_JSON >> 20} MiB of texts, numbers and lists")
    if sum(sizes) > MOST_RAW:
        raise NotPlain(f"more than {MOST_RAW >> 20} MiB of arrays and bytes")
    return b"".join([len(header).to_bytes(4, "little"), header, *parts])


def unpacked(body: Any) -> Any:
    """Return the value in `body`, built of plain types alone. Raises `NotPlain` for anything else."""
    view = memoryview(body)
    size = int.from_bytes(view[:4], "little")
    if len(view) > 4 + MOST or size > min(MOST_JSON, len(view) - 4):
        raise NotPlain("no message of plain data")
    try:
        header = json.loads(bytes(view[4 : 4 + size]))
        parts, at = [], 4 + size
        for length in header["sizes"]:
            if type(length) is not int or not 0 <= length <= len(view) - at:
                raise NotPlain("a message that is shorter than it says")
            parts.append(view[at : at + length])
            at += length
        return _decoded(header["value"], parts, 0)
    except NotPlain:
        raise
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError, MemoryError) as error:
        raise NotPlain(f"no message of plain data ({type(error).__name__})") from None


def _encoded(value: Any, parts: list[Any], depth: int) -> Any:
    if depth > DEEPEST:
        raise NotPlain(f"lists in more than {DEEPEST} lists")
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    home = kind.__module__.partition(".")[0]
    if home in ("numpy", "torch"):
        return _numeric(value, parts, home)
    if isinstance(value, int):
        number = int(value)
        return number if -_SAFE <= number <= _SAFE else {"!": "int", "of": hex(number)}
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (bytes, bytearray)):
        parts.append(bytes(value))
        return {"!": "bytes", "at": len(parts) - 1}
    if isinstance(value, (list, tuple)):
        items = [_encoded(each, parts, depth + 1) for each in value]
        return items if isinstance(value, list) else {"!": "tuple", "of": items}
    if isinstance(value, dict):
        if all(type(key) is str for key in value) and "!" not in value:
            return {key: _encoded(each, parts, depth + 1) for key, each in value.items()}
        pairs = [[_encoded(each, parts, depth + 2) for each in pair] for pair in value.items()]
        return {"!": "dict", "of": pairs}
    raise NotPlain(f"a {kind.__module__}.{kind.__qualname__}; known are {KNOWN}")


def _numeric(value: Any, parts: list[Any], home: str) -> Any:
    library = sys.modules[home]
    place = {"at": len(parts)}
    if home == "torch" and isinstance(value, library.Tensor):
        flat = value.detach().to("cpu").contiguous().reshape(-1)
        parts.append(flat.view(library.uint8).numpy().tobytes() if flat.numel() else b"")
        dtype = str(value.dtype).partition(".")[2]
        return {"!": "tensor", "dtype": dtype, "shape": list(value.shape), **place}
    if home == "numpy" and isinstance(value, (library.ndarray, library.generic)):
        if value.dtype.kind not in "biufcSU":
            raise NotPlain(f"an array of {str(value.dtype)[:40]}")
        parts.append(value.tobytes())
        if isinstance(value, library.generic):
            return {"!": "scalar", "dtype": value.dtype.str, **place}
        return {"!": "array", "dtype": value.dtype.str, "shape": list(value.shape), **place}
    raise NotPlain(f"a {type(value).__module__}.{type(value).__qualname__}; known are {KNOWN}")


def _decoded(value: Any, parts: list[Any], depth: int) -> Any:
    if depth > DEEPEST + 2:
        raise NotPlain("lists in too many lists")
    if isinstance(value, list):
        return [_decoded(each, parts, depth + 1) for each in value]
    if not isinstance(value, dict):
        return value
    if "!" not in value:
        return {key: _decoded(each, parts, depth + 1) for key, each in value.items()}
    return _FORMS[value["!"]](value, parts, depth)


def _tuple(value: dict[str, Any], parts: list[Any], depth: int) -> Any:
    return tuple(_decoded(each, parts, depth + 1) for each in _list(value["of"]))


def _dict(value: dict[str, Any], parts: list[Any], depth: int) -> Any:
    return {
        _decoded(key, parts, depth + 2): _decoded(each, parts, depth + 2) for key, each in _list(value["of"])
    }


def _list(value: Any) -> Any:
    if not isinstance(value, list):
        raise NotPlain("no list")
    return value


def _array(value: dict[str, Any], parts: list[Any], depth: int) -> Any:
    import numpy as np

    dtype = np.dtype(str(value["dtype"]))
    if dtype.kind not in "biufcSU" or dtype.hasobject:
        raise NotPlain("an array of no numbers")
    shape = [1] if value["!"] == "scalar" else _shape(value["shape"])
    raw = bytearray(parts[value["at"]])
    if len(raw) != dtype.itemsize * math.prod(shape):
        raise NotPlain("an array of another size than it says")
    made = np.frombuffer(raw, dtype).reshape(shape) if raw else np.zeros(shape, dtype)
    return made[0] if value["!"] == "scalar" else made


def _tensor(value: dict[str, Any], parts: list[Any], depth: int) -> Any:
    import torch

    dtype = getattr(torch, str(value["dtype"]), None)
    if not isinstance(dtype, torch.dtype):
        raise NotPlain("a tensor of no numbers")
    shape, raw = _shape(value["shape"]), bytearray(parts[value["at"]])
    if len(raw) != torch.empty(0, dtype=dtype).element_size() * math.prod(shape):
        raise NotPlain("a tensor of another size than it says")
    if not raw:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(raw, dtype=torch.uint8).view(dtype).reshape(shape)


def _shape(value: Any) -> list[int]:
    if not isinstance(value, list) or len(value) > 32:
        raise NotPlain("no shape")
    if any(type(each) is not int or not 0 <= each < 2**40 for each in value):
        raise NotPlain("no shape")
    return value


_FORMS: dict[str, Callable[[dict[str, Any], list[Any], int], Any]] = {
    "tuple": _tuple,
    "dict": _dict,
    "int": lambda value, parts, depth: int(value["of"], 16),
    "bytes": lambda value, parts, depth: bytes(parts[value["at"]]),
    "array": _array,
    "scalar": _array,
    "tensor": _tensor,
}
