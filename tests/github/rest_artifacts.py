"""Artifacts that jobs left. https://docs.github.com/rest/actions/artifacts"""

from __future__ import annotations

import hmac
import secrets
import time
from datetime import timedelta
from urllib.parse import urlencode

from tests.github import shapes
from tests.github.records import Artifact
from tests.github.routing import Answer, Listing, Request, route
from tests.github.rules import Refused, not_found
from tests.github.shapes import Json

_ACTIONS = "/repos/{owner}/{repo}/actions"
_KEPT = timedelta(days=90)
_SIGNED_FOR = 60  # seconds: "This URL expires after 1 minute"
_KEY = secrets.token_bytes(16)


@route("GET", _ACTIONS + "/artifacts", "actions:read")
def list_artifacts(request: Request) -> Listing:
    return _list(request, list(request.contents.artifacts.values()))


@route("GET", _ACTIONS + "/runs/{run:int}/artifacts", "actions:read")
def list_artifacts_of_run(request: Request) -> Listing:
    run = request.number("run")
    kept = [each for each in request.contents.artifacts.values() if each.run == run]
    if not kept and run not in request.contents.runs:
        raise not_found()
    return _list(request, kept)


@route("GET", _ACTIONS + "/artifacts/{artifact:int}", "actions:read")
def get_artifact(request: Request) -> Answer:
    return Answer(200, _shape(request, _find(request)))


@route("GET", _ACTIONS + "/artifacts/{artifact:int}/{format}", "actions:read")
def download(request: Request) -> Answer:
    """Points at where the bytes are, as GitHub points at its storage."""
    artifact = _find(request)
    if request.places["format"] != "zip":
        raise not_found()
    if artifact.expired:
        raise Refused(410, "Artifact has expired")
    path = f"/storage/{request.repository.id}/{artifact.id}"
    until = int(time.time()) + _SIGNED_FOR
    asked = urlencode({"se": until, "sig": _signature(path, until)})
    elsewhere = request.github.api_url.replace(
        "127.0.0.1", "localhost"
    )  # another host, as GitHub's storage is
    return Answer(302, None, {"location": f"{elsewhere}{path}?{asked}"})


def _signature(path: str, until: int) -> str:
    return hmac.digest(_KEY, f"{path} {until}".encode(), "sha256").hex()


@route("GET", "/storage/{home:int}/{artifact:int}")
def read_stored(request: Request) -> Answer:
    """The signed address is the permission, for a minute; whoever shows a token besides is refused.

    https://learn.microsoft.com/rest/api/storageservices/create-service-sas
    """
    if request.token is not None:
        raise Refused(400, "InvalidAuthenticationInfo")
    until = int(request.query.get("se", "0"))
    signed = hmac.compare_digest(_signature(request.path, until), request.query.get("sig", ""))
    if not signed or until < time.time():
        raise Refused(403, "AuthenticationFailed")
    for home in request.github.repositories.values():
        artifact = home.contents.artifacts.get(request.number("artifact"))
        if home.id == request.number("home") and artifact is not None:
            return Answer(200, artifact.data)
    raise not_found()


def _list(request: Request, found: list[Artifact]) -> Listing:
    name = request.query.get("name")
    shown = [_shape(request, each) for each in reversed(found) if name in (None, each.name)]
    return Listing(shown, "artifacts")


def _find(request: Request) -> Artifact:
    found = request.contents.artifacts.get(request.number("artifact"))
    if found is None:
        raise not_found()
    return found


def _shape(request: Request, one: Artifact) -> Json:
    home = request.repository
    url = f"{shapes.url_of(request.github, home)}/actions/artifacts/{one.id}"
    run = home.contents.runs.get(one.run or 0)
    about = run and {
        "id": run.id,
        "repository_id": home.id,
        "head_repository_id": run.head_repository or home.id,
        "head_branch": run.branch,
        "head_sha": run.sha,
    }
    return {
        "id": one.id,
        "node_id": shapes.node("Artifact", one.id),
        "name": one.name,
        "size_in_bytes": len(one.data),
        "url": url,
        "archive_download_url": f"{url}/zip",
        "expired": one.expired,
        "created_at": shapes.stamp(one.created),
        "expires_at": shapes.stamp(one.created + _KEPT),
        "updated_at": shapes.stamp(one.created),
        "workflow_run": about,
    }
