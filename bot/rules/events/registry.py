"""Kinds of events: how one is registered, written down and read."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

from bot.rules.bounds import check_types, cut_costs

if TYPE_CHECKING:
    from bot.rules.campaign import Campaign

SCHEMA = 1

Verdict = Literal["improved", "discarded", "inconclusive", "crashed", "rejected", "lost"]
VERDICTS: tuple[Verdict, ...] = ("improved", "discarded", "inconclusive", "crashed", "rejected", "lost")
Direction = Literal["minimize", "maximize"]


class Event(Protocol):
    """What every event has: a frozen dataclass, registered by `event`.

    `key` is made from what it records: the ledger holds each key once, so that a repeated append changes nothing. An
    event whose figures earlier versions did not bound has a static `softened(record) -> record` too, for `read`.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    kind: ClassVar[str]

    @property
    def key(self) -> str: ...

    def apply(self, campaign: Campaign, at: str, by: str) -> None:
        """Change `campaign` as what happened changes it; `at` (ISO 8601, UTC) and `by` say when and by whom."""


KINDS: dict[str, type[Any]] = {}
"""The class of each kind of event."""
_Class = TypeVar("_Class", bound=type[Any])


def event(cls: _Class) -> _Class:
    """Register a class of events under its kind."""
    if cls.kind in KINDS:
        raise ValueError(f"two classes of events are of the kind {cls.kind}")
    KINDS[cls.kind] = cls
    return cls


@dataclass(frozen=True)
class Recorded:
    """An event as it stands on the ledger: what, when (ISO 8601, UTC) and by whom."""

    event: Event
    at: str
    by: str = field(default="")


def to_json(event: Event, *, at: str, by: str) -> dict[str, Any]:
    """Return `event` as the JSON object that the ledger keeps."""
    return {"kind": event.kind, "key": event.key, "at": at, "by": by, **dataclasses.asdict(event)}


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
    softened = getattr(cls, "softened", None)
    return from_json(cut_costs(cls, record if softened is None else softened(record)))


def _frozen(value: Any) -> Any:
    """Lists become tuples, so that a read event equals the one that was written."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
