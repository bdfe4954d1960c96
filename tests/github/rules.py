"""GitHub's refusals in its own words, and readers that check the fields of a body."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from typing import Any

BODY_LIMIT = 65_536
TITLE_LIMIT = 256
DOCS = "https://docs.github.com/rest"
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."


class Refused(Exception):
    """An answer that is an error: `status`, and the JSON object that goes with it."""

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.payload = {"message": message, **more, "documentation_url": DOCS, "status": str(status)}
        self.headers = dict(headers or {})


def not_found() -> Refused:
    return Refused(404, "Not Found")


def invalid(resource: str, field: str | None, code: str = "invalid", message: str | None = None) -> Refused:
    """A 422 that names what is wrong, as in https://docs.github.com/rest (validation errors)."""
    error = {"resource": resource, "code": code}
    if field is not None:
        error["field"] = field
    if message is not None:
        error["message"] = message
    return Refused(422, "Validation Failed", errors=[error])


def unprocessable(message: str) -> Refused:
    return Refused(422, message)


class Fields:
    """The JSON object of a request; every getter refuses what GitHub would refuse."""

    def __init__(self, values: Mapping[str, Any], resource: str) -> None:
        self.values = values
        self.resource = resource

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def need(self, *names: str) -> None:
        """Refuse a body without one of `names`."""
        missing = [f'"{name}"' for name in names if name not in self.values]
        if missing:
            verb = "wasn't" if len(missing) == 1 else "weren't"
            raise unprocessable(f"Invalid request.\n\n{', '.join(missing)} {verb} supplied.")

    def typed(self, name: str, kind: type, word: str) -> Any:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise unprocessable(f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not {word}.")
        return value

    def text(self, name: str, *, limit: int | None = None, required: bool = False) -> str | None:
        """Return a string of at most `limit` characters; `required` refuses one that is blank."""
        value = self.typed(name, str, "a string")
        if required and not (value or "").strip():
            raise invalid(self.resource, name, "missing_field")
        if value is not None and limit is not None and len(value) > limit:
            said = f"{name} is too long (maximum is {limit} characters)"
            raise invalid(self.resource, name, "custom", said)
        return None if value is None else str(value)

    def one_of(self, name: str, allowed: Collection[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in allowed:
            raise unprocessable(
                f"Invalid request.\n\nFor 'properties/{name}', {value} is not a member of {sorted(allowed)}."
            )
        return value

    def when(self, name: str) -> datetime | None:
        """Return a time, in UTC where it says no zone."""
        text = self.text(name)
        try:
            when = None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            said = f"Invalid request.\n\nFor 'properties/{name}', {text} is not a date-time."
            raise unprocessable(said) from None
        return when.replace(tzinfo=timezone.utc) if when and when.tzinfo is None else when

    def flag(self, name: str) -> bool | None:
        value = self.typed(name, bool, "a boolean")
        return None if value is None else bool(value)

    def number(self, name: str) -> int | None:
        value = self.typed(name, int, "an integer")
        return None if value is None else int(value)

    def listing(self, name: str) -> list[Any] | None:
        value = self.typed(name, list, "an array")
        return None if value is None else list(value)

    def table(self, name: str) -> dict[str, Any] | None:
        value = self.typed(name, dict, "an object")
        return None if value is None else dict(value)
