"""How the interface says no."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


@dataclass
class Refusal(Exception):
    """An answer of 400 and above."""

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] | None = None

    def body(self, request_id: str) -> dict[str, Any]:
        error: dict[str, Any] = {"type": TYPES.get(self.status, "api_error"), "message": self.message}
        if self.details is not None:
            error["details"] = dict(self.details)
        return {"type": "error", "error": error, "request_id": request_id}


def bad(message: str) -> Refusal:
    return Refusal(400, message)


def known(given: Mapping[str, Any], keys: Iterable[str], where: str) -> None:
    """Refuse a key that is not one of `keys`."""
    for key in given:
        if key not in keys:
            raise bad(f"{where}{key}: Extra inputs are not permitted")


def needed(given: Mapping[str, Any], keys: Iterable[str], where: str) -> None:
    for key in keys:
        if key not in given:
            raise bad(f"{where}{key}: Field required")


def mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise bad(f"{where}: Input should be a valid dictionary")
    return value


def string(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise bad(f"{where}: Input should be a valid string")
    return value


def items(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise bad(f"{where}: Input should be a valid list")
    return value
