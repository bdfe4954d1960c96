"""Merging a pull request by its button. https://docs.github.com/rest/pulls/pulls#merge-a-pull-request"""

from __future__ import annotations

from tests.github import plumbing
from tests.github.records import Issue, Pull, User
from tests.github.rest_pulls import find
from tests.github.routing import Answer, Request, route
from tests.github.rules import Fields, Refused, not_found

_METHODS = ("merge", "squash", "rebase")


@route("GET", "/repos/{owner}/{repo}/pulls/{number:int}/merge", "pull-requests:read")
def is_merged(request: Request) -> Answer:
    if find(request)[1].merged is None:
        raise not_found()
    return Answer(204)


@route("PUT", "/repos/{owner}/{repo}/pulls/{number:int}/merge", "contents:write")
def merge(request: Request) -> Answer:
    """`sha` guards the head; nothing guards the base."""
    issue, pull = find(request)
    fields = request.fields("PullRequest")
    method = fields.one_of("merge_method", _METHODS) or "merge"
    sha = fields.text("sha")
    home = request.repository
    if issue.state == "closed" or pull.draft:
        raise Refused(405, "Pull Request is not mergeable")
    if home.merges_disturbed > 0:
        home.merges_disturbed -= 1
        raise Refused(405, "Base branch was modified. Review and try the merge again.")
    if sha is not None and sha != pull.head_sha:
        raise Refused(409, "Head branch was modified. Review and try the merge again.")
    lacking = home.lacks(pull.base, pull.head_sha)
    if lacking is not None:
        raise Refused(405, f'Required status check "{lacking}" is expected.')
    allowed = {
        "merge": home.allow_merge_commit,
        "squash": home.allow_squash_merge,
        "rebase": home.allow_rebase_merge,
    }
    if not allowed[method]:
        names = {"merge": "Merge commits are", "squash": "Squash merges are", "rebase": "Rebase merges are"}
        raise Refused(405, f"{names[method]} not allowed on this repository.")
    base = home.branch(pull.base) or ""
    try:
        landed = _merged(request, fields, method, base, issue, pull)
    except plumbing.Conflict:
        raise Refused(405, "Merge conflict") from None
    if request.token and "workflows" not in request.token.permissions:
        said = plumbing.refused_workflow(home.path, landed)
        if said is not None:
            raise Refused(403, said)
    plumbing.set_ref(home.path, f"refs/heads/{pull.base}", landed, base)
    home.mark_merged(issue, pull, landed, request.actor)
    home.sync(request.actor)
    return Answer(200, {"sha": landed, "merged": True, "message": "Pull Request successfully merged"})


def _merged(request: Request, fields: Fields, method: str, base: str, issue: Issue, pull: Pull) -> str:
    path = request.repository.path
    author = _signature(request.actor)
    if method == "rebase":
        return plumbing.rebased(path, base, pull.head_sha)
    tree = plumbing.merged_tree(path, base, pull.head_sha)
    if method == "squash":
        title = fields.text("commit_title") or f"{issue.title} (#{issue.number})"
        said = fields.text("commit_message") or ""
        return plumbing.make_commit(path, tree, [base], f"{title}\n\n{said}".strip() + "\n", author)
    title = (
        fields.text("commit_title")
        or f"Merge pull request #{issue.number} from {pull.head_owner}/{pull.head}"
    )
    said = fields.text("commit_message") or issue.title
    return plumbing.make_commit(
        path, tree, [base, pull.head_sha], f"{title}\n\n{said}".strip() + "\n", author
    )


def _signature(who: User) -> str:
    return f"{who.login} <{who.id}+{who.login}@users.noreply.github.com>"
