"""Pull requests. https://docs.github.com/rest/pulls/pulls"""

from __future__ import annotations

from tests.github import plumbing, shapes_commits, shapes_issues
from tests.github.access import sees
from tests.github.records import Issue, Pull
from tests.github.repository import Repository, now
from tests.github.routing import Answer, Listing, Request, route
from tests.github.rules import BODY_LIMIT, Refused, invalid, not_found
from tests.github.texts import new_issue, rename, title_of

_READ, _WRITE = "pull-requests:read", "pull-requests:write"


def find(request: Request) -> tuple[Issue, Pull]:
    """Return the pull request whose number is in the path; refuse where it is an issue or nothing."""
    issue = request.contents.issues.get(request.number())
    if issue is None or issue.pull is None:
        raise not_found()
    return issue, issue.pull


@route("GET", "/repos/{owner}/{repo}/pulls", _READ)
def list_pulls(request: Request) -> Listing:
    """A `head` without its owner is no filter: GitHub answers with all."""
    query = request.query
    state = query.get("state", "open")
    if state not in ("open", "closed", "all"):
        raise invalid("PullRequest", "state")
    found = [(issue, issue.pull) for issue in request.contents.issues.values() if issue.pull is not None]
    found = [(issue, pull) for issue, pull in found if state in ("all", issue.state)]
    if query.get("base"):
        found = [(issue, pull) for issue, pull in found if pull.base == query["base"]]
    owner, colon, branch = query.get("head", "").partition(":")
    if colon:
        found = [
            (issue, pull)
            for issue, pull in found
            if (pull.head_owner.lower(), pull.head) == (owner.lower(), branch)
        ]
    sort = query.get("sort", "created")
    downwards = query.get("direction", "desc" if sort == "created" else "asc") == "desc"
    found.sort(
        key=lambda each: (each[0].updated if sort == "updated" else each[0].created, each[0].number),
        reverse=downwards,
    )
    return Listing([shapes_issues.pull(request, issue, pull) for issue, pull in found])


@route("GET", "/repos/{owner}/{repo}/pulls/{number:int}", _READ)
def get_pull(request: Request) -> Answer:
    return Answer(200, shapes_issues.whole_pull(request, *find(request)))


@route("POST", "/repos/{owner}/{repo}/pulls", _WRITE, role="read")
def create_pull(request: Request) -> Answer:
    """Who may read may open one, from a branch that exists and has something new."""
    home, token = request.repository, request.token
    if token is not None and token.kind == "workflow" and not home.actions_may_open_pulls:
        raise Refused(403, "GitHub Actions is not permitted to create or approve pull requests.")
    fields = request.fields("PullRequest")
    fields.need("head", "base")
    base, head = fields.text("base", required=True) or "", fields.text("head", required=True) or ""
    title = title_of(fields, required=True)
    body = fields.text("body", limit=BODY_LIMIT)
    draft = fields.flag("draft") or False
    source, owner, branch = _source(request, head)
    head_sha, base_sha = None if source is None else source.branch(branch), home.branch(base)
    if base_sha is None:
        raise invalid("PullRequest", "base")
    if source is None or head_sha is None:
        raise invalid("PullRequest", "head")
    for issue in home.contents.issues.values():
        open_one = issue.pull if issue.state == "open" else None
        if open_one and (open_one.head_repository, open_one.head, open_one.base) == (
            source.full_name,
            branch,
            base,
        ):
            said = f"A pull request already exists for {owner}:{branch}."
            raise invalid("PullRequest", None, "custom", said)
    if not plumbing.has_object(home.path, head_sha):
        plumbing.git(home.path, "fetch", "--quiet", str(source.path), head_sha)
    if plumbing.is_ancestor(home.path, head_sha, base_sha):
        raise invalid("PullRequest", None, "custom", f"No commits between {base} and {head}")
    if plumbing.merge_base(home.path, head_sha, base_sha) is None:
        said = f"The {branch} branch has no history in common with {home.full_name}:{base}"
        raise invalid("PullRequest", None, "custom", said)
    issue = new_issue(request, title, body)
    issue.pull = Pull(base, base_sha, branch, source.full_name, owner, head_sha, draft)
    home.move_head(issue, issue.pull, head_sha)
    shape = shapes_issues.whole_pull(request, issue, issue.pull)
    shape |= {"mergeable": None, "rebaseable": None, "mergeable_state": "unknown"}  # worked out later
    return Answer(201, shape, {"location": shape["url"]})


@route("PATCH", "/repos/{owner}/{repo}/pulls/{number:int}", _WRITE, role="read")
def update_pull(request: Request) -> Answer:
    issue, pull = find(request)
    request_is_authors(request, issue)
    fields = request.fields("PullRequest")
    title = title_of(fields) if "title" in fields else None
    body = fields.text("body", limit=BODY_LIMIT)
    state = fields.one_of("state", ("open", "closed"))
    base = fields.text("base")
    if base is not None and base != pull.base:
        _change_base(request, issue, pull, base)
    if state == "open":
        check_reopening(request, issue, pull)
    changed = (title not in (None, issue.title)) or (body not in (None, issue.body))
    rename(request, issue, title)
    issue.body = issue.body if body is None else body
    if changed:
        issue.updated = now()
    if state is not None:
        request.repository.set_state(issue, state, request.actor)
    return Answer(200, shapes_issues.whole_pull(request, issue, pull))


@route("GET", "/repos/{owner}/{repo}/pulls/{number:int}/files", _READ)
def list_files(request: Request) -> Listing:
    issue, pull = find(request)
    return Listing(shapes_commits.files(request, start_of(request, issue, pull), pull.head_sha)[:3000])


@route("GET", "/repos/{owner}/{repo}/pulls/{number:int}/commits", _READ)
def list_commits(request: Request) -> Listing:
    issue, pull = find(request)
    start = start_of(request, issue, pull)
    between = plumbing.commits_between(request.repository.path, start, pull.head_sha)
    return Listing([shapes_commits.commit(request, sha) for sha in between[:250]])


def start_of(request: Request, issue: Issue, pull: Pull) -> str:
    """Return the commit that the pull request's diff begins at."""
    base = (request.repository.branch(pull.base) if issue.state == "open" else None) or pull.base_sha
    return plumbing.merge_base(request.repository.path, base, pull.head_sha) or base


def request_is_authors(request: Request, issue: Issue) -> None:
    """Refuse a person who neither wrote the issue nor may triage."""
    token = request.token
    if token is None or token.kind != "pat" or token.user == issue.user:
        return
    if request.repository.role_of(token.user) in (None, "read"):
        raise Refused(403, "Must have triage rights to Repository.")


def check_reopening(request: Request, issue: Issue, pull: Pull) -> None:
    """Refuse to open again what is merged, what has a successor, and a branch that is gone or not forward.

    Where the branch went forward meanwhile, the pull request takes that in.
    """
    if issue.state == "open":
        return
    home = request.repository
    head = home.head_of(pull)
    if pull.merged is not None:
        raise _cannot_open("The pull request was merged.")
    if head is None:
        raise _cannot_open(f"The {pull.head} branch has been deleted.")
    for other in home.contents.issues.values():
        same = other.pull and (other.pull.head_repository, other.pull.head, other.pull.base)
        if other.state == "open" and same == (pull.head_repository, pull.head, pull.base):
            raise _cannot_open(f"There is already an open pull request #{other.number}.")
    home.bring(pull, head)
    if not plumbing.is_ancestor(home.path, pull.head_sha, head):
        raise _cannot_open(f"The {pull.head} branch was force-pushed or recreated.")
    home.move_head(issue, pull, head)


def _cannot_open(why: str) -> Refused:
    return invalid("PullRequest", "state", "custom", f"state cannot be changed. {why}")


def _source(request: Request, head: str) -> tuple[Repository | None, str, str]:
    """Return the repository, its owner and the branch that `head` ("branch" or "owner:branch") names."""
    home = request.repository
    owner, colon, branch = head.partition(":")
    if not colon:
        return home, home.owner.login, head
    if owner.lower() == home.owner.login.lower():
        return home, home.owner.login, branch
    for fork in request.github.repositories.values():
        if fork.parent == home.full_name and fork.owner.login.lower() == owner.lower():
            fork.sync()
            return (fork if sees(request.token, fork) else None), fork.owner.login, branch
    return None, owner, branch


def _change_base(request: Request, issue: Issue, pull: Pull, base: str) -> None:
    sha = request.repository.branch(base)
    if sha is None:
        raise invalid("PullRequest", "base")
    if issue.state == "closed":
        said = "Cannot change the base branch of a closed pull request."
        raise invalid("PullRequest", "base", "invalid", said)
    if plumbing.is_ancestor(request.repository.path, pull.head_sha, sha):
        said = f"There are no new commits between base branch '{base}' and head branch '{pull.head}'"
        raise invalid("PullRequest", "base", "invalid", said)
    pull.base, pull.base_sha, issue.updated = base, sha, now()
