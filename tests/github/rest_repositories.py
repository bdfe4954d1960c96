"""The repository, its branches and who works in it. https://docs.github.com/rest/repos"""

from __future__ import annotations

from tests.github import shapes
from tests.github.records import ROLES
from tests.github.routing import Answer, Listing, Request, route
from tests.github.rules import Refused, not_found
from tests.github.shapes import Json
from tests.github.shapes_commits import short_branch, whole_branch

_LEGACY = {"read": "read", "triage": "read", "write": "write", "maintain": "write", "admin": "admin"}
_FLAGS = (
    ("pull", "read"),
    ("triage", "triage"),
    ("push", "write"),
    ("maintain", "maintain"),
    ("admin", "admin"),
)


@route("GET", "/repos/{owner}/{repo}", "metadata:read")
def get_repository(request: Request) -> Answer:
    viewer = request.token.user if request.token else None
    return Answer(200, shapes.full_repository(request.github, request.repository, viewer))


@route("GET", "/repos/{owner}/{repo}/branches", "contents:read")
def list_branches(request: Request) -> Listing:
    heads = [(ref, sha) for ref, sha in request.contents.refs.items() if ref.startswith("refs/heads/")]
    return Listing([short_branch(request, ref.removeprefix("refs/heads/"), sha) for ref, sha in heads])


@route("GET", "/repos/{owner}/{repo}/branches/{branch:path}", "contents:read")
def get_branch(request: Request) -> Answer:
    name = request.places["branch"]
    sha = request.repository.branch(name)
    if sha is None:
        raise Refused(404, "Branch not found")
    return Answer(200, whole_branch(request, name, sha))


@route("GET", "/repos/{owner}/{repo}/collaborators", "metadata:read", role="write")
def list_collaborators(request: Request) -> Listing:
    logins = [request.repository.owner.login, *request.repository.roles]
    return Listing([_collaborator(request, login) for login in dict.fromkeys(logins)])


@route("GET", "/repos/{owner}/{repo}/collaborators/{login}/permission", "metadata:read", role="write")
def get_permission(request: Request) -> Answer:
    """Say what somebody may do; also of those who are no collaborators."""
    who = request.github.users.get(request.places["login"])
    if who is None:
        raise not_found()
    if who.kind == "Bot":
        raise Refused(404, f"{who.login} is not a user")
    role = request.repository.role_of(who)
    shown = "none" if role is None else _LEGACY[role]
    body = {"permission": shown, "role_name": role or "none", "user": _collaborator(request, who.login)}
    return Answer(200, body)


@route("GET", "/repos/{owner}/{repo}/collaborators/{login}", "metadata:read", role="write")
def is_collaborator(request: Request) -> Answer:
    login = request.places["login"]
    if login not in request.repository.roles and login != request.repository.owner.login:
        raise not_found()
    return Answer(204)


def _collaborator(request: Request, login: str) -> Json:
    who = request.github.users[login]
    role = request.repository.role_of(who)
    held = -1 if role is None else ROLES.index(role)
    flags = {name: held >= [*ROLES].index(least) for name, least in _FLAGS}  # type: ignore[arg-type]
    shape = shapes.user(request.github, who) or {}
    return {**shape, "permissions": flags, "role_name": role or "none"}
