"""How large numbers and texts from outside may be: what a job hands over, and what stands on the ledger.

All bounds stand here. Within them no arithmetic of ours can overflow: a score may be squared, and a thousand of
them added up. `evaluator.bounds` has the same bound for what is measured.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

LARGEST = 1e30  # a score, a metric or a loss, in magnitude: a diverged one is beyond it
LONGEST = 1e9  # seconds of one run, or dollars of one call
WHOLE = 2**53  # whole numbers: seeds, counts, steps
TEXT = 10_000  # characters
POINTS = 1_000  # of a curve
METRICS = 1_000
MEASURES = 64  # of a reference
PROBES = 10**9  # of one audit
SMALLEST_SHARE = 0.01  # of a budget
AUDIT = ("probes", "factor", "gain_bpb", "error_bpb", "upper_bpb", "rms_nats", "far")
"""What is told of one audit: how many positions were asked, how many times the usual number that is, the mean gain in
bits per byte with its standard error and upper limit, how far answers lie apart, and how many far apart."""

_KINDS: Mapping[str, type | tuple[type, ...]] = {"float": (int, float), "int": int, "str": str, "bool": bool}
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))  # categories of Unicode
_COSTS = ("seconds", "gpu_seconds", "late", "cost_usd")
_KNOWN: dict[type[Any], tuple[tuple[str, str, bool], ...]] = {}


def is_number(value: object) -> TypeGuard[float]:
    """Say whether `value` is a number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def measurable(value: object) -> TypeGuard[float]:
    """Say whether `value` can be a score, a metric or a loss: a number, finite, and of a size that means something."""
    return is_number(value) and abs(value) <= LARGEST


def is_seen(text: str) -> bool:
    """Say whether all of `text` is seen, on one line: no control, format or separating character is in it."""
    return not any(unicodedata.category(each) in _UNSEEN for each in text)


def too_large(value: float) -> str:
    """Return why `value` is no score."""
    return f"the score {value:g} is beyond {LARGEST:g} in magnitude: a diverged loss is no measurement"


def check_types(event_type: type[Any], body: Mapping[str, Any]) -> None:
    """Raise ValueError, which names the field, for a number or text in `body` that is of another type or absurd."""
    for name, kind, optional in _plain_fields(event_type):
        if name not in body or (optional and body[name] is None):
            continue
        value: Any = body[name]
        known: bool = isinstance(value, _KINDS[kind])
        if not known or (kind != "bool" and isinstance(value, bool)):
            raise ValueError(f"{name} is {shown(value)}, no {_WORDS[kind]}")
        if kind == "int" and not -WHOLE <= value <= WHOLE:
            raise ValueError(f"{name} is {shown(value)}: beyond {WHOLE}")
        if kind == "float" and not measurable(value):
            raise ValueError(f"{name} is {shown(value)}: beyond {LARGEST:g}")


_WORDS = {"float": "number", "int": "whole number", "str": "text", "bool": "true or false"}


def shown(value: object) -> str:
    """Return a value for an error message: short, and on one line."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > WHOLE:
        return "a whole number of many digits"
    said = repr(value) if not isinstance(value, list | tuple | dict) else f"a {type(value).__name__}"
    return said if len(said) <= 60 else f"{said[:59]}…"


def check_run(run: Any) -> None:
    """Raise ValueError, which names the field, for a `RunFinished` that no run of ours leaves behind."""
    check_types(type(run), vars(run))
    for name in ("seconds", "gpu_seconds", "late"):
        if not 0 <= getattr(run, name) <= LONGEST:
            raise ValueError(f"{name} is {shown(getattr(run, name))}: it must be from 0 to {LONGEST:g}")
    if not SMALLEST_SHARE <= run.share <= 1:
        raise ValueError(f"share is {shown(run.share)}: no part of a budget")
    if run.score is not None and not measurable(run.score):
        raise ValueError(f"score is {shown(run.score)}: no score")
    for name, mapping, most in (("metrics", run.metrics, METRICS), ("failure", run.failure or {}, 10)):
        if not isinstance(mapping, Mapping) or len(mapping) > most:
            raise ValueError(f"{name} is no object of at most {most} entries")
    for name, value in run.metrics.items():
        if not measurable(value):
            raise ValueError(f"metrics.{shown(name)} is {shown(value)}: no measurement")
    if not isinstance(run.curve, tuple) or len(run.curve) > POINTS:
        raise ValueError(f"curve is no list of at most {POINTS} points")
    for point in run.curve:
        if not isinstance(point, tuple) or len(point) != 3 or not all(map(measurable, point)):
            raise ValueError(f"curve holds {shown(point)}, no point of three numbers")
    if run.reference is not None:
        _check_measures(run.reference)
    if run.audit is not None:
        check_audit(run.audit)
    words = {"run": run.run, "jail": run.jail, "runner": run.runner, "fingerprint": run.fingerprint or ""}
    words |= {f"failure.{shown(key)}": text for key, text in (run.failure or {}).items()}
    words |= {f"the name of {shown(key)}": key for key in (*(run.failure or {}), *run.metrics)}
    for name, text in words.items():
        if not isinstance(text, str) or len(text) > TEXT:
            raise ValueError(f"{name} is {shown(text)}, no text of at most {TEXT:,} characters")
        if not is_seen(text):
            raise ValueError(f"{name} is {shown(text)}: it holds characters that can't be seen")


def check_audit(found: object) -> None:
    """Raise ValueError, which names the figure, for what no audit leaves behind."""
    if not isinstance(found, Mapping) or set(found) != set(AUDIT):
        raise ValueError(f"audit is no object of {', '.join(AUDIT)}")
    for name, value in found.items():
        if not measurable(value):
            raise ValueError(f"audit.{name} is {shown(value)}: no measurement")
    for name, least, most in (("probes", 1, PROBES), ("factor", 1, 100), ("far", 0, found["probes"])):
        if found[name] != int(found[name]) or not least <= found[name] <= most:
            raise ValueError(f"audit.{name} is {shown(found[name])}: no whole number from {least} to {most}")
    for name in ("error_bpb", "rms_nats"):
        if found[name] < 0:
            raise ValueError(f"audit.{name} is {shown(found[name])}: below 0")


def audit_figures(found: object) -> dict[str, float] | None:
    """Return those of the figures that are an audit's; None if they are none."""
    known = {name: found[name] for name in AUDIT if name in found} if isinstance(found, Mapping) else None
    try:
        check_audit(known)
    except ValueError:
        return None
    return known


def _check_measures(measured: object) -> None:
    if not isinstance(measured, Mapping) or len(measured) > MEASURES:
        raise ValueError(f"reference is no object of at most {MEASURES} entries")
    for name, value in measured.items():
        text = isinstance(value, str) and len(value) <= TEXT and is_seen(value)
        if not isinstance(name, str) or len(name) > TEXT or not (text or measurable(value)):
            raise ValueError(f"reference.{shown(name)} is {shown(value)}: no number and no short text")


def cut_costs(event_type: type[Any], record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with its times and prices, as far as events of this type have them, between 0 and `LONGEST`."""
    fields = {name for name, _, _ in _plain_fields(event_type)}
    costs = {name: record.get(name) for name in _COSTS if name in fields}
    cut = {
        name: LONGEST if v > 0 else 0.0 for name, v in costs.items() if is_number(v) and not 0 <= v <= LONGEST
    }
    return record | cut if cut else record


def absurd(value: object) -> bool:
    """Say whether `value` is a number that can be no measurement."""
    return is_number(value) and not measurable(value)


def _plain_fields(event_type: type[Any]) -> tuple[tuple[str, str, bool], ...]:
    """Return name, kind and whether it may be None of the fields that hold one number or one text."""
    if event_type not in _KNOWN:
        _KNOWN[event_type] = tuple(_fields(event_type))
    return _KNOWN[event_type]


def _fields(event_type: type[Any]) -> Iterator[tuple[str, str, bool]]:
    for each in dataclasses.fields(event_type):
        kind, _, rest = str(each.type).partition(" | ")
        if kind in _KINDS and rest in ("", "None"):
            yield each.name, kind, rest == "None"
