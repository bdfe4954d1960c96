"""Git refs. https://docs.github.com/rest/git/refs"""

from __future__ import annotations

from bot.base.process import ProcessFailed
from tests.github import plumbing, shapes
from tests.github.routing import Answer, Listing, Request, route
from tests.github.rules import Refused, not_found, unprocessable
from tests.github.shapes import Json


@route("GET", "/repos/{owner}/{repo}/git/ref/{ref:path}", "contents:read")
def get_ref(request: Request) -> Answer:
    name = f"refs/{request.places['ref']}"
    if name not in request.repository.contents.refs:
        raise not_found()
    return Answer(200, _shape(request, name, request.repository.contents.refs[name]))


@route("GET", "/repos/{owner}/{repo}/git/matching-refs/{ref:path}", "contents:read")
def list_matching(request: Request) -> Listing:
    beginning = f"refs/{request.places['ref']}"
    found = [(name, sha) for name, sha in request.contents.refs.items() if name.startswith(beginning)]
    return Listing([_shape(request, name, sha) for name, sha in found])


@route("GET", "/repos/{owner}/{repo}/git/refs", "contents:read")
def list_refs(request: Request) -> Listing:
    return Listing([_shape(request, name, sha) for name, sha in request.contents.refs.items()])


@route("POST", "/repos/{owner}/{repo}/git/refs", "contents:write")
def create_ref(request: Request) -> Answer:
    home = request.repository
    fields = request.fields("Reference")
    fields.need("ref", "sha")
    name, sha = fields.text("ref") or "", fields.text("sha") or ""
    if not name.startswith("refs/") or name.count("/") < 2:
        raise unprocessable("Reference name must start with 'refs/' and contain at least two slashes")
    if not plumbing.says(home.path, "check-ref-format", name):
        raise unprocessable(f"{name} is not a valid ref name.")
    _check_target(request, name, sha)
    if name in home.contents.refs:
        raise unprocessable("Reference already exists")
    try:
        plumbing.set_ref(home.path, name, sha, plumbing.ZERO)
    except ProcessFailed:  # another ref stands where its folder would be
        raise unprocessable("Reference already exists") from None
    home.sync(request.actor)
    shape = _shape(request, name, sha)
    return Answer(201, shape, {"location": shape["url"]})


@route("PATCH", "/repos/{owner}/{repo}/git/refs/{ref:path}", "contents:write")
def update_ref(request: Request) -> Answer:
    """Forward only, unless `force`."""
    home = request.repository
    fields = request.fields("Reference")
    fields.need("sha")
    sha, force = fields.text("sha") or "", fields.flag("force") or False
    name = _existing(request)
    _check_target(request, name, sha)
    old = home.contents.refs[name]
    if not force and not plumbing.is_ancestor(home.path, old, sha):
        raise unprocessable("Update is not a fast forward")
    plumbing.set_ref(home.path, name, sha, old)
    home.sync(request.actor)
    return Answer(200, _shape(request, name, sha))


@route("DELETE", "/repos/{owner}/{repo}/git/refs/{ref:path}", "contents:write")
def delete_ref(request: Request) -> Answer:
    home = request.repository
    name = _existing(request)
    if name == f"refs/heads/{home.default_branch}":
        raise unprocessable("Cannot delete the default branch")
    plumbing.delete_ref(home.path, name)
    home.sync(request.actor)
    return Answer(204)


def _existing(request: Request) -> str:
    name = f"refs/{request.places['ref']}"
    if name not in request.repository.contents.refs or name.startswith("refs/pull/"):
        raise unprocessable("Reference does not exist")
    return name


def _check_target(request: Request, name: str, sha: str) -> None:
    home = request.repository
    if not plumbing.has_object(home.path, sha):
        raise unprocessable("Object does not exist")
    if name.startswith("refs/heads/"):
        if not plumbing.has_object(home.path, sha, "commit"):
            raise unprocessable("Object is not a commit")
        if request.token and "workflows" not in request.token.permissions:
            said = plumbing.refused_workflow(home.path, sha)
            if said is not None:
                raise Refused(403, said)
        lacking = home.lacks(name.removeprefix("refs/heads/"), sha)
        if lacking is not None and name in home.contents.refs:
            raise unprocessable(f'Required status check "{lacking}" is expected.')


def _shape(request: Request, name: str, sha: str) -> Json:
    url = shapes.url_of(request.github, request.repository)
    kind = plumbing.git(request.repository.path, "cat-file", "-t", sha)
    return {
        "ref": name,
        "node_id": shapes.node("Ref", name),
        "url": f"{url}/git/{name}",
        "object": {"type": kind, "sha": sha, "url": f"{url}/git/{kind}s/{sha}"},
    }
