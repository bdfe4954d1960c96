"""Issues, also those that are pull requests. https://docs.github.com/rest/issues"""

from __future__ import annotations

from tests.github import shapes_issues
from tests.github.access import has_role
from tests.github.records import Issue
from tests.github.repository import now
from tests.github.rest_pulls import check_reopening, request_is_authors
from tests.github.routing import Answer, Listing, Request, route
from tests.github.rules import BODY_LIMIT, Fields, invalid
from tests.github.texts import check_kind, find_issue, new_issue, rename, title_of

_READ = ("issues:read", "pull-requests:read")
_WRITE = ("issues:write", "pull-requests:write")
_REASONS = ("completed", "not_planned", "reopened", "duplicate")


@route("GET", "/repos/{owner}/{repo}/issues", "issues:read")
def list_issues(request: Request) -> Listing:
    """Pull requests are issues too, and are in the list."""
    query = request.query
    found = list(request.contents.issues.values())
    state = query.get("state", "open")
    if state not in ("open", "closed", "all"):
        raise invalid("Issue", "state")
    wanted = {name.strip().lower() for name in query.get("labels", "").split(",") if name.strip()}
    since = Fields(query, "Issue").when("since")
    creator = query.get("creator")
    found = [
        issue
        for issue in found
        if state in ("all", issue.state)
        and wanted <= {name.lower() for name in issue.labels}
        and (creator is None or issue.user.login == creator)
        and (since is None or issue.updated >= since)
    ]
    sort = query.get("sort", "created")
    found.sort(
        key=lambda issue: (issue.updated if sort == "updated" else issue.created, issue.number),
        reverse=query.get("direction", "desc") == "desc",
    )
    return Listing([shapes_issues.issue(request, issue) for issue in found])


@route("POST", "/repos/{owner}/{repo}/issues", "issues:write", role="read")
def create_issue(request: Request) -> Answer:
    """Labels of somebody who may not triage are passed over, as GitHub does."""
    fields = request.fields("Issue")
    fields.need("title")
    title = title_of(fields, required=True)
    body = fields.text("body", limit=BODY_LIMIT)
    names = _label_names(fields.listing("labels"))
    issue = new_issue(request, title, body)
    if names and _may_triage(request):
        set_labels(request, issue, names)
    shape = shapes_issues.issue(request, issue)
    return Answer(201, shape, {"location": shape["url"]})


@route("GET", "/repos/{owner}/{repo}/issues/{number:int}", *_READ)
def get_issue(request: Request) -> Answer:
    return Answer(200, shapes_issues.issue(request, find_issue(request)))


@route("PATCH", "/repos/{owner}/{repo}/issues/{number:int}", *_WRITE, role="read")
def update_issue(request: Request) -> Answer:
    """Also edits pull requests: title, body, state and labels."""
    issue = find_issue(request)
    check_kind(request, issue)
    request_is_authors(request, issue)
    fields = request.fields("Issue")
    title = title_of(fields) if "title" in fields else None
    body = fields.text("body", limit=BODY_LIMIT)
    state = fields.one_of("state", ("open", "closed"))
    reason = fields.one_of("state_reason", _REASONS)
    names = _label_names(fields.listing("labels"))
    if state == "open" and issue.pull is not None:
        check_reopening(request, issue, issue.pull)
    if title not in (None, issue.title) or body not in (None, issue.body):
        issue.updated = now()
    rename(request, issue, title)
    issue.body = issue.body if body is None else body
    if names is not None and _may_triage(request):
        set_labels(request, issue, names)
    if state is not None:
        request.repository.set_state(issue, state, request.actor, reason)
    return Answer(200, shapes_issues.issue(request, issue))


@route("GET", "/repos/{owner}/{repo}/issues/{number:int}/events", *_READ)
def list_events(request: Request) -> Listing:
    """Who labelled, closed, reopened or merged, and when."""
    number = find_issue(request).number
    kept = [event for event in request.contents.events if event.issue == number]
    return Listing([shapes_issues.event(request, event) for event in kept])


@route("GET", "/repos/{owner}/{repo}/issues/{number:int}/timeline", *_READ)
def list_timeline(request: Request) -> Listing:
    """The events and the comments, in their order."""
    number = find_issue(request).number
    events = [event for event in request.contents.events if event.issue == number]
    comments = [comment for comment in request.contents.comments.values() if comment.issue == number]
    shown = [(event.created, event.id, shapes_issues.event(request, event)) for event in events]
    for comment in comments:
        shape = shapes_issues.comment(request, comment)
        shape |= {"event": "commented", "actor": shape["user"]}
        shown.append((comment.created, comment.id, shape))
    return Listing([shape for *_, shape in sorted(shown, key=lambda each: each[:2])])


def set_labels(request: Request, issue: Issue, names: list[str]) -> None:
    """Let `issue` have exactly these labels, made when missing."""
    home = request.repository
    wanted = {home.label(name).name: None for name in names}
    for gone in [name for name in issue.labels if name not in wanted]:
        issue.labels.remove(gone)
        home.event(issue, "unlabeled", request.actor, label=gone)
        issue.updated = now()
    for new in [name for name in wanted if name not in issue.labels]:
        issue.labels.append(new)
        home.event(issue, "labeled", request.actor, label=new)
        issue.updated = now()


def _may_triage(request: Request) -> bool:
    token = request.token
    return token is not None and (token.kind != "pat" or has_role(token.user, request.repository, "triage"))


def _label_names(given: list[object] | None) -> list[str] | None:
    if given is None:
        return None
    return [label_name(each) for each in given]


def label_name(given: object) -> str:
    """Return the name of a label given as text or as an object with a name."""
    name = given.get("name") if isinstance(given, dict) else given
    if not isinstance(name, str) or not name.strip():
        raise invalid("Label", "name", "missing_field")
    if len(name) > 50:
        raise invalid("Label", "name", "custom", "name is too long (maximum is 50 characters)")
    return name
