"""From a REST call to its answer: the route, the right to take it, and lists that lag."""

from __future__ import annotations

import json
import traceback
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

from tests.github import access, routing
from tests.github.records import Token
from tests.github.routing import Answer, Listing, Request
from tests.github.rules import Refused, not_found
from tests.github.world import GitHub

VERSIONS = ("2022-11-28", "2026-03-10")
_WRITES = ("POST", "PATCH", "PUT", "DELETE")
# Fields that the newer version left out: https://docs.github.com/rest/about-the-rest-api/breaking-changes
_GONE = {"2026-03-10": {"merge_commit_sha", "assignee"}}


def respond(
    github: GitHub,
    method: str,
    path: str,
    query: str,
    headers: Message,
    data: bytes | None,
    token: Token | None,
) -> tuple[Any, Answer]:
    """Return the JSON that came and the answer to it; `data` is None where more came than is read.

    A break of the server itself is a 500, and is kept in `github.broken`.
    """
    values: Any = None
    version = headers.get("x-github-api-version") or VERSIONS[0]
    try:
        if not headers.get("user-agent"):
            raise Refused(403, "Request forbidden by administrative rules.")
        if token is None and access.credential(headers.get("authorization")) is not None:
            raise Refused(401, "Bad credentials")
        if version not in VERSIONS:
            raise Refused(400, f"Invalid API version: {version}")
        if data is None:
            raise Refused(413, "Payload too big")
        values = _json(data)
        with github.lock:
            if path != "/rate_limit":
                is_query = path == "/graphql"
                resource = "graphql" if is_query else "core"
                github.limits.spend(token, method in _WRITES and not is_query, resource)
            asked = dict(parse_qsl(query, keep_blank_values=True))
            given = {} if values is None else values
            request = Request(github, method, path, asked, given, token, version)
            return values, _without(_answer(request), _GONE.get(version, set()))
    except Refused as refused:
        return values, Answer(refused.status, refused.payload, refused.headers)
    except Exception:
        github.broken.append(f"{method} {path}\n{traceback.format_exc()}")
        return values, Answer(500, {"message": "Server Error"})


def _answer(request: Request) -> Answer:
    found = routing.find(request.method, request.path.rstrip("/"))
    if found is None:
        raise not_found()
    known, request.places = found
    repository = None
    if "owner" in request.places:
        repository = request.github.find_repository(f"{request.places['owner']}/{request.places['repo']}")
        if repository is None:
            raise not_found()
        repository.sync()
        request.home = repository
        access.check(request.token, repository, known.needs, known.role, known.app_only)
    elif known.role != "read" and request.token is None:
        raise Refused(401, "Requires authentication")
    if request.method != "GET":
        if repository is not None and request.github.lag:
            repository.remember()
        result = known.handler(request)
    elif repository is not None and request.github.lag:
        result = _late(request, known)
    else:
        result = known.handler(request)
    if isinstance(result, Listing):
        return routing.page_of(result, request, request.github.api_url + request.path)
    return result


def _late(request: Request, known: routing.Route) -> Answer | Listing:
    """Answer a GET; a list may show the state before its last change."""
    first = known.handler(request)
    if not isinstance(first, Listing):
        return first

    def read(contents: Any) -> tuple[list[Any], dict[str, Any]]:
        request.shown = contents
        try:
            shown = known.handler(request)
        except Refused:
            raise KeyError(request.path) from None  # what it is a list of was not there yet
        finally:
            request.shown = None
        return (list(shown.items), shown.more) if isinstance(shown, Listing) else ([], {})

    filters = sorted(
        (name, value) for name, value in request.query.items() if name not in ("page", "per_page")
    )
    items, more = request.repository.late(f"{request.path} {filters}", request.github.lag, read)
    return Listing(items, first.under, more)


def _json(data: bytes) -> Any:
    if not data.strip():
        return None
    try:
        return json.loads(data)
    except ValueError:
        raise Refused(400, "Problems parsing JSON") from None


def _without(whole: Answer, names: set[str]) -> Answer:
    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(each) for key, each in value.items() if key not in names}
        if isinstance(value, list):
            return [strip(each) for each in value]
        return value

    return Answer(whole.status, strip(whole.payload), whole.headers) if names else whole
