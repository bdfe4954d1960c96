"""Reactions to comments and issues. https://docs.github.com/rest/reactions"""

from __future__ import annotations

from tests.github import shapes_issues
from tests.github.records import Reaction
from tests.github.repository import now
from tests.github.rest_comments import find_comment
from tests.github.routing import Answer, Listing, Request, route
from tests.github.rules import Refused, invalid, not_found
from tests.github.texts import find_issue

_READ = ("issues:read", "pull-requests:read")
_WRITE = ("issues:write", "pull-requests:write")
_COMMENT = "/repos/{owner}/{repo}/issues/comments/{comment:int}/reactions"
_ISSUE = "/repos/{owner}/{repo}/issues/{number:int}/reactions"


def _reactions(request: Request) -> list[Reaction]:
    return (find_comment(request) if "comment" in request.places else find_issue(request)).reactions


def _list(request: Request) -> Listing:
    content = request.query.get("content")
    kept = [each for each in _reactions(request) if content in (None, each.content)]
    return Listing([shapes_issues.reaction(request, each) for each in kept])


def _create(request: Request) -> Answer:
    """One of a kind and user: 200 where it is there already."""
    kept = _reactions(request)
    fields = request.fields("Reaction")
    content = fields.text("content", required=True) or ""
    if content not in shapes_issues.REACTIONS:
        raise invalid("Reaction", "content")
    for each in kept:
        if (each.user, each.content) == (request.actor, content):
            return Answer(200, shapes_issues.reaction(request, each))
    kept.append(Reaction(request.github.new_id(), request.actor, content, now()))
    return Answer(201, shapes_issues.reaction(request, kept[-1]))


def _delete(request: Request) -> Answer:
    kept = _reactions(request)
    for each in kept:
        if each.id == request.number("reaction"):
            if each.user != request.actor:
                raise Refused(403, "Must have admin rights to Repository.")
            kept.remove(each)
            return Answer(204)
    raise not_found()


for _path in (_COMMENT, _ISSUE):
    route("GET", _path, *_READ)(_list)
    route("POST", _path, *_WRITE, role="read")(_create)
    route("DELETE", _path + "/{reaction:int}", *_WRITE, role="read")(_delete)
