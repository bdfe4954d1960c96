"""One event as a line of the ledger."""

from __future__ import annotations

import json
from typing import Any

Event = dict[str, Any]


def decoded(line: bytes) -> Event | None:
    """Return the event of a line, None if it holds none."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("key"), str) else None


def encoded(event: Event) -> bytes:
    """Return the line of an event; raise ValueError for a number that JSON has no word for."""
    text = json.dumps(event, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    # A half of a surrogate pair has no UTF-8; escaped it reads back as it was.
    return text.encode(errors="backslashreplace") + b"\n"
