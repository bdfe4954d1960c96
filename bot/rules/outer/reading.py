"""Frozen dataclasses to JSON and back: what does not fit its type or its bounds is refused by the name of its field."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from bot.rules.bounds import WHOLE, is_number, measurable, shown

T = TypeVar("T")

TEXT = 400  # characters of a text, unless its field says otherwise
MOST = 1_000  # entries of a list, unless its field says otherwise


_Limits = tuple[int | None, int | None]  # of the value, and of each of its entries
_KNOWN: dict[Any, dict[str, tuple[Any, _Limits, bool]]] = {}


def limited(most: int, each: int | None = None, **more: Any) -> Any:
    """Return a field of a dataclass that holds at most `most` characters or entries, of at most `each` characters."""
    return dataclasses.field(metadata={"most": most, "each": each}, **more)


def to_json(value: Any) -> dict[str, Any]:
    """Return a dataclass as an object of JSON."""
    return dataclasses.asdict(value)


def from_json(cls: type[T], record: object, where: str = "") -> T:
    """Return the `cls` that `record` holds. Raises ValueError, which names the field, for what is none."""
    name = where or cls.__name__.lower()
    if not isinstance(record, Mapping):
        raise ValueError(f"{name} is {shown(record)}, no object")
    known = _fields(cls)
    for key in record:
        if key not in known:
            raise ValueError(f"{name} has no field {shown(key)}")
    read = {key: _read(*known[key][:2], value, f"{name}.{key}") for key, value in record.items()}
    lacking = [key for key, (_, _, needed) in known.items() if needed and key not in record]
    if lacking:
        raise ValueError(f"{name} lacks {lacking[0]}")
    return cls(**read)


def _fields(cls: Any) -> dict[str, tuple[Any, _Limits, bool]]:
    """Return type, limits and whether it must be there, of each field."""
    if cls not in _KNOWN:
        hints = get_type_hints(cls)
        _KNOWN[cls] = {
            each.name: (
                hints[each.name],
                (each.metadata.get("most"), each.metadata.get("each")),
                each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING,
            )
            for each in dataclasses.fields(cls)
        }
    return _KNOWN[cls]


def _read(kind: Any, limits: _Limits, value: Any, where: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    most, inside = limits[0], (limits[1], None)
    if origin in (Union, types.UnionType):
        fitting = next((each for each in inner if _fits(each, value)), None)
        if fitting is None:
            raise ValueError(f"{where} is {shown(value)}: {_words(inner)} is expected")
        return _read(fitting, limits, value, where)
    if origin is Literal:
        if not _fits(kind, value):
            raise ValueError(f"{where} is {shown(value)}: one of {', '.join(map(repr, inner))} is expected")
        return value
    if origin is tuple:
        return tuple(
            _read(inner[0], inside, each, f"{where}[{place}]")
            for place, each in enumerate(_entries(value, list | tuple, most, where))
        )
    if isinstance(origin, type) and issubclass(origin, Mapping):
        found = _entries(value, Mapping, most, where)
        return {
            _read(inner[0], (None, None), key, f"a key of {where}"): _read(
                inner[1], inside, each, f"{where}[{shown(key)}]"
            )
            for key, each in found.items()
        }
    if dataclasses.is_dataclass(kind):
        return from_json(kind, value, where)  # type: ignore[arg-type]
    if not _fits(kind, value):
        raise ValueError(f"{where} is {shown(value)}: {_words((kind,))} is expected")
    return _bounded(value, TEXT if most is None else most, where)


def _entries(value: Any, kind: Any, most: int | None, where: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{where} is {shown(value)}: a list or an object is expected")
    if len(value) > (MOST if most is None else most):
        raise ValueError(f"{where} has {len(value)} entries: at most {MOST if most is None else most}")
    return value


def _fits(kind: Any, value: Any) -> bool:
    if kind is type(None):
        return value is None
    if get_origin(kind) is Literal:
        return isinstance(value, str) and value in get_args(kind)
    if kind is float:
        return is_number(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _bounded(value: Any, most: int, where: str) -> Any:
    if isinstance(value, str) and len(value) > most:
        raise ValueError(f"{where} has {len(value):,} characters: at most {most:,}")
    if isinstance(value, int) and abs(value) > WHOLE:
        raise ValueError(f"{where} is a whole number beyond {WHOLE}")
    if isinstance(value, float) and not measurable(value):
        raise ValueError(f"{where} is {shown(value)}: no number that can be measured")
    return value


_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}


def _words(kinds: tuple[Any, ...]) -> str:
    return " or ".join(_NAMES.get(each, "another value") for each in kinds)
