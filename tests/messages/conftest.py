"""A server for each test, and ways to talk to it: by the real SDK, and past it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.messages.minds import words
from tests.messages.server import Api, serve

if TYPE_CHECKING:  # four seconds, which only a test that talks is worth
    import anthropic

Raw = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def api() -> Iterator[Api]:
    with serve(lambda request, number: words("Yes.")) as server:
        yield server


@pytest.fixture
def client(api: Api) -> Iterator[anthropic.Anthropic]:
    import anthropic

    with anthropic.Anthropic(api_key=api.key, base_url=api.url, max_retries=0) as made:
        yield made


@pytest.fixture
def raw(api: Api) -> Raw:
    """Return a function that posts bytes or JSON and returns status and answer."""

    def post(body: Any, path: str = "/v1/messages", **headers: str | None) -> tuple[int, dict[str, Any]]:
        told: dict[str, str | None] = {
            "x-api-key": api.key,
            "anthropic-version": "2026-10-21",
            "content-type": "application/json",
        }
        told.update({name.replace("_", "-"): value for name, value in headers.items()})
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=20)
        connection.request("POST", path, data, {k: v for k, v in told.items() if v is not None})
        answer = connection.getresponse()
        payload = json.loads(answer.read())
        connection.close()
        return answer.status, payload

    return post
