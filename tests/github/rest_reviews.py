"""Reviews of pull requests, and comments on lines. https://docs.github.com/rest/pulls/reviews"""

from __future__ import annotations

from typing import Any

from tests.github import plumbing, shapes, shapes_commits, shapes_issues
from tests.github.access import has_role
from tests.github.records import Issue, Pull, Review, ReviewComment
from tests.github.repository import now
from tests.github.rest_pulls import find, start_of
from tests.github.routing import Answer, Listing, Request, route
from tests.github.rules import BODY_LIMIT, Fields, Refused, invalid, unprocessable
from tests.github.shapes import Json

_READ, _WRITE = "pull-requests:read", "pull-requests:write"
_PATH = "/repos/{owner}/{repo}/pulls/{number:int}"
_STATES = {
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
    None: "PENDING",
}


@route("GET", _PATH + "/reviews", _READ)
def list_reviews(request: Request) -> Listing:
    issue, _ = find(request)
    kept = [each for each in request.contents.reviews.values() if each.issue == issue.number]
    seen = [each for each in kept if each.submitted or (request.token and each.user == request.token.user)]
    return Listing([_review(request, each) for each in seen])


@route("POST", _PATH + "/reviews", _WRITE, role="read")
def create_review(request: Request) -> Answer:
    """All of it or nothing: one comment beside the diff refuses the review."""
    issue, pull = find(request)
    fields = request.fields("PullRequestReview")
    event = fields.one_of("event", ("APPROVE", "REQUEST_CHANGES", "COMMENT"))
    body = fields.text("body", limit=BODY_LIMIT) or ""
    commit = fields.text("commit_id") or pull.head_sha
    given = fields.listing("comments") or []
    if issue.user == request.actor and event in ("APPROVE", "REQUEST_CHANGES"):
        verb = "approve" if event == "APPROVE" else "request changes on"
        raise Refused(422, "Unprocessable Entity", errors=[f"Can not {verb} your own pull request"])
    _check_approval(request, event)
    silent = not body and (event == "REQUEST_CHANGES" or (event == "COMMENT" and not given))
    if silent:
        raise Refused(422, "Unprocessable Entity", errors=[f"Body is required for {event}"])
    if not plumbing.has_object(request.repository.path, commit, "commit"):
        raise unprocessable(f"No commit found for SHA: {commit}")
    places = _places(request, issue, pull, commit) if given else {}
    review = Review(request.github.new_id(), issue.number, request.actor, body, _STATES[event], commit, None)
    review.submitted = now() if event else None
    try:
        comments = [_read_comment(request, each, review, places) for each in given]
    except Refused as refused:  # here, without saying which of them
        said = [error.get("message", "Body can't be blank") for error in refused.payload.get("errors", [])]
        raise Refused(422, "Unprocessable Entity", errors=said) from None
    request.contents.reviews[review.id] = review
    request.contents.review_comments.update({each.id: each for each in comments})
    issue.updated = now()
    return Answer(200, _review(request, review))


@route("GET", _PATH + "/comments", _READ)
def list_line_comments(request: Request) -> Listing:
    issue, _ = find(request)
    kept = [each for each in request.contents.review_comments.values() if each.issue == issue.number]
    return Listing([_comment(request, each) for each in kept])


@route("GET", _PATH + "/reviews/{review:int}/comments", _READ)
def list_comments_of_review(request: Request) -> Listing:
    find(request)
    kept = [
        each for each in request.contents.review_comments.values() if each.review == request.number("review")
    ]
    return Listing([_comment(request, each) for each in kept])


@route("POST", _PATH + "/comments", _WRITE, role="read")
def create_line_comment(request: Request) -> Answer:
    issue, pull = find(request)
    fields = request.fields("PullRequestReviewComment")
    fields.need("body", "commit_id", "path")
    commit = fields.text("commit_id") or ""
    if not plumbing.has_object(request.repository.path, commit, "commit"):
        raise invalid("PullRequestReviewComment", "commit_id")
    places = _places(request, issue, pull, commit)
    review = Review(request.github.new_id(), issue.number, request.actor, "", "COMMENTED", commit, now())
    comment = _read_comment(request, request.values, review, places)
    request.contents.reviews[review.id] = review
    request.contents.review_comments[comment.id] = comment
    shape = _comment(request, comment)
    return Answer(201, shape, {"location": shape["url"]})


Places = dict[str, dict[tuple[str, int], tuple[int, str]]]


def _check_approval(request: Request, event: str | None) -> None:
    token, home = request.token, request.repository
    if event != "APPROVE" or token is None:
        return
    if token.kind == "workflow" and not home.actions_may_open_pulls:
        raise Refused(403, "GitHub Actions is not permitted to create or approve pull requests.")
    if token.kind == "pat" and not has_role(token.user, home, "read"):
        raise Refused(403, "Must have push access to Repository.")


def _places(request: Request, issue: Issue, pull: Pull, commit: str) -> Places:
    """Return for each file of the diff the lines that may be commented on."""
    changed = shapes_commits.files(request, start_of(request, issue, pull), commit)
    return {each["filename"]: shapes_commits.commentable(each.get("patch", "")) for each in changed}


def _read_comment(request: Request, given: Any, review: Review, places: Places) -> ReviewComment:
    fields = Fields(given if isinstance(given, dict) else {}, "PullRequestReviewComment")
    path = fields.text("path", required=True) or ""
    body = fields.text("body", limit=BODY_LIMIT, required=True) or ""
    line, position = fields.number("line"), fields.number("position")
    side = fields.one_of("side", ("LEFT", "RIGHT")) or "RIGHT"
    if path not in places:
        raise _outside("path", "Path could not be resolved")
    known = places[path]
    if line is None and position is not None:
        side, line = next((key for key, (at, _) in known.items() if at == position), ("RIGHT", -1))
    if line is None or (side, line) not in known:
        raise _outside("line", "Line could not be resolved")
    at, hunk = known[side, line]
    ids = request.github.new_id()
    return ReviewComment(
        ids, review.id, review.issue, request.actor, body, path, line, side, at, hunk, review.commit, now()
    )


def _outside(field: str, said: str) -> Refused:
    return invalid("PullRequestReviewComment", f"pull_request_review_thread.{field}", "custom", said)


def _review(request: Request, one: Review) -> Json:
    home = request.repository
    pull = f"{shapes.url_of(request.github, home)}/pulls/{one.issue}"
    page = f"{shapes.page_url(request.github, home)}/pull/{one.issue}#pullrequestreview-{one.id}"
    shape = {
        "id": one.id,
        "node_id": shapes.node("PullRequestReview", one.id),
        "user": shapes.user(request.github, one.user),
        "body": one.body,
        "state": one.state,
        "html_url": page,
        "pull_request_url": pull,
        "author_association": shapes.association(home, one.user),
        "_links": {"html": {"href": page}, "pull_request": {"href": pull}},
        "commit_id": one.commit,
    }
    return shape | ({"submitted_at": shapes.stamp(one.submitted)} if one.submitted else {})


def _comment(request: Request, one: ReviewComment) -> Json:
    home = request.repository
    pulls = f"{shapes.url_of(request.github, home)}/pulls"
    own, pull = f"{pulls}/comments/{one.id}", f"{pulls}/{one.issue}"
    page = f"{shapes.page_url(request.github, home)}/pull/{one.issue}#discussion_r{one.id}"
    return {
        "id": one.id,
        "node_id": shapes.node("PullRequestReviewComment", one.id),
        "url": own,
        "html_url": page,
        "pull_request_url": pull,
        "pull_request_review_id": one.review,
        "user": shapes.user(request.github, one.user),
        "body": one.body,
        "path": one.path,
        "diff_hunk": one.hunk,
        "position": one.position,
        "original_position": one.position,
        "line": one.line,
        "original_line": one.line,
        "start_line": None,
        "original_start_line": None,
        "start_side": None,
        "side": one.side,
        "subject_type": "line",
        "commit_id": one.commit,
        "original_commit_id": one.commit,
        "created_at": shapes.stamp(one.created),
        "updated_at": shapes.stamp(one.created),
        "author_association": shapes.association(home, one.user),
        "reactions": shapes_issues.rollup(own, one.reactions),
        "_links": {"self": {"href": own}, "html": {"href": page}, "pull_request": {"href": pull}},
    }
