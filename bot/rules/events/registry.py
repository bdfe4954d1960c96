"""Kinds of events: how one is registered, written down and read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from bot.rules.bounds import absurd, check_types, cut_costs

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign

SCHEMA = 1

Verdict = Literal["improved", "discarded", "inconclusive", "crashed", "rejected", "lost"]
VERDICTS: tuple[Verdict, ...] = ("improved", "discarded", "inconclusive", "crashed", "rejected", "lost")
Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Event:
    """What every event is: a frozen dataclass, registered by `event`."""

    kind: ClassVar[str]
    key_form: ClassVar[str]
    figures: ClassVar[tuple[str, ...]] = ()
    """Fields that earlier versions did not bound: if one is beyond every measurement, none of them is read."""
    sparse: ClassVar[tuple[str, ...]] = ()
    """Fields that are written down only if they are not None."""

    @property
    def key(self) -> str:
        """What it records, in short: the ledger holds each key once, so that a repeated append changes nothing."""
        return self.key_form.format_map(vars(self))

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        """Change `campaign` as what happened changes it; `at` (ISO 8601, UTC) and `by` say when and by whom."""

    @classmethod
    def softened(cls, record: dict[str, Any]) -> dict[str, Any]:
        """Return a record without figures that earlier versions let in and no measurement can be."""
        return (
            record | dict.fromkeys(cls.figures) if any(absurd(record.get(n)) for n in cls.figures) else record
        )


KINDS: dict[str, type[Event]] = {}
"""The class of each kind of event."""
_Class = TypeVar("_Class", bound=type[Event])


def event(kind: str, key: str = "") -> Callable[[_Class], _Class]:
    """Register a class of events under its kind; `key` has places for its fields."""

    def register(cls: _Class) -> _Class:
        if kind in KINDS:
            raise ValueError(f"two classes of events are of the kind {kind}")
        cls.kind, cls.key_form = kind, key
        KINDS[kind] = cls
        return cls

    return register


@dataclass(frozen=True)
class Recorded:
    """An event as it stands on the ledger: what, when (ISO 8601, UTC) and by whom."""

    event: Event
    at: str
    by: str = field(default="")


def to_json(event: Event, *, at: str, by: str) -> dict[str, Any]:
    """Return `event` as the JSON object that the ledger keeps."""
    body = dataclasses.asdict(event)
    left_out = {name for name in event.sparse if body[name] is None}
    body = {name: value for name, value in body.items() if name not in left_out}
    return {"kind": event.kind, "key": event.key, "at": at, "by": by, **body}


def from_json(record: dict[str, Any]) -> Recorded:
    """Return the event that `record` holds.

    Raises ValueError for a kind that this version does not know, a record that lacks a field, and one whose numbers
    or texts are none (`bot.rules.bounds`).
    """
    body = dict(record)
    kind, at, by = body.pop("kind", None), body.pop("at", ""), body.pop("by", "")
    body.pop("key", None)
    cls = KINDS.get(str(kind))
    if cls is None:
        raise ValueError(f"unknown kind of event {kind!r}")
    try:
        check_types(cls, body)
        return Recorded(cls(**{name: _frozen(value) for name, value in body.items()}), at, by)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{kind}: {error}") from None
    except RecursionError:
        raise ValueError(f"{kind}: nested too deep") from None


def read(record: dict[str, Any]) -> Recorded:
    """Return the event of a line of the ledger, as `from_json` does, without what earlier versions let in and no
    measurement can be: a score beyond every bound is a failure, a verdict on one loses its figures, costs are cut.
    """
    cls = KINDS.get(str(record.get("kind")))
    if cls is None:
        return from_json(record)
    return from_json(cut_costs(cls, cls.softened(record)))


def _frozen(value: Any) -> Any:
    """Lists become tuples, so that a read event equals the one that was written."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
