"""Users, the caller itself, and how many calls are left. https://docs.github.com/rest/users"""

from __future__ import annotations

from tests.github import shapes
from tests.github.records import User
from tests.github.routing import Answer, Request, route
from tests.github.rules import Refused, not_found
from tests.github.shapes import Json


def _public(request: Request, who: User) -> Json:
    since = "2026-01-01T00:00:00Z"
    return {
        **(shapes.user(request.github, who) or {}),
        **dict.fromkeys(("name", "company", "location", "email", "hireable", "bio", "twitter_username")),
        "blog": "",
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": since,
        "updated_at": since,
    }


@route("GET", "/user", role="self")
def get_self(request: Request) -> Answer:
    """Only a person's token has somebody to tell of."""
    if request.token is not None and request.token.kind != "pat":
        raise Refused(403, "Resource not accessible by integration")
    private = {"private_gists": 0, "total_private_repos": 0, "owned_private_repos": 0, "disk_usage": 0}
    more = {**private, "collaborators": 0, "two_factor_authentication": True}
    return Answer(200, {**_public(request, request.actor), **more})


@route("GET", "/users/{login}")
def get_user(request: Request) -> Answer:
    found = request.github.users.get(request.places["login"])
    if found is None:
        raise not_found()
    return Answer(200, _public(request, found))


@route("GET", "/rate_limit")
def get_rate_limit(request: Request) -> Answer:
    """Costs nothing itself."""
    bucket = request.github.limits.bucket(request.token)
    core = {
        "limit": bucket.limit,
        "used": bucket.used,
        "remaining": bucket.remaining,
        "reset": int(bucket.reset),
    }
    idle = {"limit": 30, "used": 0, "remaining": 30, "reset": int(bucket.reset)}
    body = {
        "resources": {"core": core, "search": idle, "graphql": {**core, "used": 0, "remaining": bucket.limit}}
    }
    return Answer(200, body if request.version > "2022-11-28" else {**body, "rate": core})
