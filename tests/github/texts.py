"""What issues, pull requests and comments share: titles, new numbers, who may edit."""

from __future__ import annotations

from tests.github.records import Issue
from tests.github.repository import now
from tests.github.routing import Request
from tests.github.rules import TITLE_LIMIT, Fields, Refused, not_found


def title_of(fields: Fields, required: bool = False) -> str:
    """Return the title without the blanks around it; one that is all blank is refused."""
    text = fields.text("title", limit=TITLE_LIMIT, required=required or "title" in fields)
    return (text or "").strip()


def new_issue(request: Request, title: str, body: str | None) -> Issue:
    """Write a new issue down, by the caller, under the next number."""
    home, when = request.repository, now()
    issue = Issue(home.next_number(), request.github.new_id(), title, body, request.actor, when, when)
    home.contents.issues[issue.number] = issue
    return issue


def rename(request: Request, issue: Issue, title: str | None) -> None:
    """Give `issue` another title, and leave an event that says so; None leaves it."""
    if title is not None and title != issue.title:
        request.repository.event(issue, "renamed", request.actor, renamed=(issue.title, title))
        issue.title = title


def find_issue(request: Request) -> Issue:
    """Return the issue or pull request whose number is in the path."""
    issue = request.contents.issues.get(request.number())
    if issue is None:
        raise not_found()
    return issue


def check_kind(request: Request, issue: Issue) -> None:
    """Refuse a token that may write to pull requests only, where `issue` is none."""
    token = request.token
    if token is None or token.kind == "pat" or issue.pull is not None:
        return
    if token.permissions.get("issues") != "write":
        raise Refused(
            403, "Resource not accessible by integration", {"x-accepted-github-permissions": "issues=write"}
        )
