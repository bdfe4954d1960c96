"""Commit statuses. https://docs.github.com/rest/commits/statuses"""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.github import plumbing, shapes
from tests.github.records import Status
from tests.github.repository import now
from tests.github.routing import Answer, Listing, Request, route
from tests.github.rules import Refused, invalid, not_found, unprocessable
from tests.github.shapes import Json

_STATES = ("error", "failure", "pending", "success")
_DESCRIPTION = 140
_MOST = 1000  # for one commit and context


@route("POST", "/repos/{owner}/{repo}/statuses/{sha}", "statuses:write")
def create_status(request: Request) -> Answer:
    home, sha = request.repository, request.places["sha"]
    fields = request.fields("Status")
    fields.need("state")
    state = fields.one_of("state", _STATES)
    if state is None:
        raise invalid("Status", "state", "missing_field")
    description = fields.text("description", limit=_DESCRIPTION)
    context = fields.text("context", limit=255) or "default"
    target = fields.text("target_url")
    if target and urlsplit(target).scheme not in ("http", "https"):
        raise invalid("Status", "target_url", "custom", "target_url must use http(s) scheme")
    if not plumbing.has_object(home.path, sha, "commit"):
        raise unprocessable(f"No commit found for SHA: {sha}")
    earlier = sum(each.sha == sha and each.context == context for each in home.contents.statuses)
    if earlier >= _MOST:
        said = "This SHA and context has reached the maximum number of statuses."
        raise invalid("Status", None, "custom", said)
    status = Status(request.github.new_id(), sha, context, state, description, target, request.actor, now())
    home.contents.statuses.append(status)
    shape = _whole(request, status)
    return Answer(201, shape, {"location": shape["url"]})


@route("GET", "/repos/{owner}/{repo}/commits/{ref:path}/statuses", "statuses:read")
def list_statuses(request: Request) -> Listing:
    """All that were ever set, the newest first."""
    sha = _commit(request)
    found = [each for each in reversed(request.contents.statuses) if each.sha == sha]
    return Listing([_whole(request, each) for each in found])


@route("GET", "/repos/{owner}/{repo}/statuses/{ref:path}", "statuses:read")
def list_statuses_by_old_path(request: Request) -> Answer | Listing:
    return list_statuses(request)


@route("GET", "/repos/{owner}/{repo}/commits/{ref:path}/status", "statuses:read")
def get_combined(request: Request) -> Listing:
    """The newest of each context; pending where there is none."""
    sha = _commit(request)
    newest = {each.context: each for each in request.contents.statuses if each.sha == sha}
    states = {each.state for each in newest.values()}
    state = "success" if states == {"success"} else "pending"
    if states & {"failure", "error"}:
        state = "failure"
    url = shapes.url_of(request.github, request.repository)
    more = {
        "state": state,
        "sha": sha,
        "repository": shapes.minimal_repository(request.github, request.repository),
        "commit_url": f"{url}/commits/{sha}",
        "url": f"{url}/commits/{sha}/status",
    }
    return Listing([_shape(request, each) for each in newest.values()], "statuses", more)


def _commit(request: Request) -> str:
    sha = plumbing.commit_of(request.repository.path, request.places["ref"])
    if sha is None:
        full = len(request.places["ref"]) == 40
        raise Refused(422, f"No commit found for SHA: {request.places['ref']}") if full else not_found()
    return sha


def _shape(request: Request, status: Status) -> Json:
    return {
        "url": f"{shapes.url_of(request.github, request.repository)}/statuses/{status.sha}",
        "avatar_url": f"{request.github.server_url}/avatars/u/{status.creator.id}?v=4",
        "id": status.id,
        "node_id": shapes.node("StatusContext", status.id),
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        "created_at": shapes.stamp(status.created),
        "updated_at": shapes.stamp(status.created),
    }


def _whole(request: Request, status: Status) -> Json:
    return {**_shape(request, status), "creator": shapes.user(request.github, status.creator)}
