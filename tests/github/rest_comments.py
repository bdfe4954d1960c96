"""Comments on issues and pull requests. https://docs.github.com/rest/issues/comments"""

from __future__ import annotations

from tests.github import shapes_issues
from tests.github.access import has_role
from tests.github.records import Comment
from tests.github.repository import now
from tests.github.routing import Answer, Listing, Request, route
from tests.github.rules import BODY_LIMIT, Fields, Refused, not_found
from tests.github.texts import check_kind, find_issue

_READ = ("issues:read", "pull-requests:read")
_WRITE = ("issues:write", "pull-requests:write")
_ONE = "/repos/{owner}/{repo}/issues/comments/{comment:int}"


def find_comment(request: Request) -> Comment:
    """Return the comment whose id is in the path."""
    comment = request.contents.comments.get(request.number("comment"))
    if comment is None:
        raise not_found()
    return comment


@route("GET", "/repos/{owner}/{repo}/issues/{number:int}/comments", *_READ)
def list_comments(request: Request) -> Listing:
    number = find_issue(request).number
    return Listing([shapes_issues.comment(request, each) for each in _since(request) if each.issue == number])


@route("GET", "/repos/{owner}/{repo}/issues/comments", *_READ)
def list_all_comments(request: Request) -> Listing:
    """In the order they were made, unless `sort` says another."""
    query, found = request.query, _since(request)
    if "sort" in query:
        newest = query["sort"] == "updated"
        found.sort(
            key=lambda each: (each.updated if newest else each.created, each.id),
            reverse=query.get("direction", "desc") == "desc",
        )
    return Listing([shapes_issues.comment(request, each) for each in found])


@route("POST", "/repos/{owner}/{repo}/issues/{number:int}/comments", *_WRITE, role="read")
def create_comment(request: Request) -> Answer:
    issue = find_issue(request)
    check_kind(request, issue)
    when = now()
    comment = Comment(request.github.new_id(), issue.number, request.actor, _body(request), when, when)
    request.contents.comments[comment.id] = comment
    issue.updated = when
    shape = shapes_issues.comment(request, comment)
    return Answer(201, shape, {"location": shape["url"]})


@route("GET", _ONE, *_READ)
def get_comment(request: Request) -> Answer:
    return Answer(200, shapes_issues.comment(request, find_comment(request)))


@route("PATCH", _ONE, *_WRITE, role="read")
def update_comment(request: Request) -> Answer:
    comment = find_comment(request)
    _check_own(request, comment)
    comment.body, comment.updated = _body(request), now()
    return Answer(200, shapes_issues.comment(request, comment))


@route("DELETE", _ONE, *_WRITE, role="read")
def delete_comment(request: Request) -> Answer:
    comment = find_comment(request)
    _check_own(request, comment)
    del request.contents.comments[comment.id]
    return Answer(204)


def _since(request: Request) -> list[Comment]:
    """Return the comments changed at `since` or later."""
    since = Fields(request.query, "IssueComment").when("since")
    return [each for each in request.contents.comments.values() if since is None or each.updated >= since]


def _check_own(request: Request, comment: Comment) -> None:
    """Refuse to touch another's comment without the right to write."""
    check_kind(request, request.contents.issues[comment.issue])
    token = request.token
    others = token is not None and token.kind == "pat" and comment.user != token.user
    if others and not has_role(request.actor, request.repository, "write"):
        raise Refused(403, "Must have push access to Repository.")


def _body(request: Request) -> str:
    fields = request.fields("IssueComment")
    fields.need("body")
    return fields.text("body", limit=BODY_LIMIT, required=True) or ""
