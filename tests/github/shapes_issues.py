"""How issues, pull requests, comments and reactions look in answers."""

from __future__ import annotations

from tests.github import plumbing, shapes
from tests.github.records import Comment, Issue, IssueEvent, Label, Pull, Reaction
from tests.github.repository import Repository
from tests.github.routing import Request
from tests.github.shapes import Json

REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")


def rollup(url: str, reactions: list[Reaction]) -> Json:
    """Return the counts of reactions that stand beside a text."""
    counts = {name: sum(each.content == name for each in reactions) for name in REACTIONS}
    return {"url": f"{url}/reactions", "total_count": len(reactions), **counts}


def reaction(request: Request, one: Reaction) -> Json:
    return {
        "id": one.id,
        "node_id": shapes.node("Reaction", one.id),
        "user": shapes.user(request.github, one.user),
        "content": one.content,
        "created_at": shapes.stamp(one.created),
    }


def comment(request: Request, one: Comment) -> Json:
    home = request.repository
    url = f"{shapes.url_of(request.github, home)}/issues/comments/{one.id}"
    kind = "pull" if home.contents.issues[one.issue].pull else "issues"
    return {
        "id": one.id,
        "node_id": shapes.node("IssueComment", one.id),
        "url": url,
        "html_url": f"{shapes.page_url(request.github, home)}/{kind}/{one.issue}#issuecomment-{one.id}",
        "issue_url": f"{shapes.url_of(request.github, home)}/issues/{one.issue}",
        "user": shapes.user(request.github, one.user),
        "body": one.body,
        "created_at": shapes.stamp(one.created),
        "updated_at": shapes.stamp(one.updated),
        "author_association": shapes.association(home, one.user),
        "reactions": rollup(url, one.reactions),
        "performed_via_github_app": None,
        "pin": None,
    }


def labels(request: Request, issue: Issue) -> list[Json]:
    known = request.contents.labels
    kept = [known.get(name.lower()) or Label(0, name) for name in issue.labels]
    return [shapes.label(request.github, request.repository, each) for each in kept]


def _common(request: Request, issue: Issue) -> Json:
    home = request.repository
    return {
        "id": issue.id,
        "number": issue.number,
        "title": issue.title,
        "body": issue.body,
        "state": issue.state,
        "locked": False,
        "active_lock_reason": None,
        "user": shapes.user(request.github, issue.user),
        "labels": labels(request, issue),
        "milestone": None,
        "assignee": None,
        "assignees": [],
        "created_at": shapes.stamp(issue.created),
        "updated_at": shapes.stamp(issue.updated),
        "closed_at": shapes.stamp(issue.closed),
        "author_association": shapes.association(home, issue.user),
    }


def issue(request: Request, one: Issue) -> Json:
    home, github = request.repository, request.github
    url = f"{shapes.url_of(github, home)}/issues/{one.number}"
    page = f"{shapes.page_url(github, home)}/{'pull' if one.pull else 'issues'}/{one.number}"
    comments = sum(each.issue == one.number for each in request.contents.comments.values())
    shape = {
        **_common(request, one),
        "node_id": shapes.node("Issue", one.id),
        "url": url,
        "repository_url": shapes.url_of(github, home),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "timeline_url": f"{url}/timeline",
        "html_url": page,
        "comments": comments,
        "closed_by": shapes.user(github, one.closed_by),
        "state_reason": one.reason,
        "reactions": rollup(url, one.reactions),
        "performed_via_github_app": None,
    }
    if one.pull is not None:
        shape["draft"] = one.pull.draft
        shape["pull_request"] = {
            "url": f"{shapes.url_of(github, home)}/pulls/{one.number}",
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "merged_at": shapes.stamp(one.pull.merged),
        }
    return shape


def event(request: Request, one: IssueEvent) -> Json:
    home, github = request.repository, request.github
    shape = {
        "id": one.id,
        "node_id": shapes.node("IssueEvent", one.id),
        "url": f"{shapes.url_of(github, home)}/issues/events/{one.id}",
        "actor": shapes.user(github, one.actor),
        "event": one.event,
        "commit_id": one.commit,
        "commit_url": f"{shapes.url_of(github, home)}/commits/{one.commit}" if one.commit else None,
        "created_at": shapes.stamp(one.created),
        "performed_via_github_app": None,
    }
    if one.renamed is not None:
        shape["rename"] = dict(zip(("from", "to"), one.renamed, strict=True))
    if one.event in ("closed", "reopened"):
        shape["state_reason"] = one.reason
    if one.label is not None:
        known = request.contents.labels.get(one.label.lower())
        shape["label"] = {"name": one.label, "color": known.color if known else "ededed"}
    return shape


def _side(request: Request, owner: str, home: Repository | None, ref: str, sha: str) -> Json:
    github = request.github
    return {
        "label": f"{owner}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": shapes.user(github, github.users.get(owner)),
        "repo": None if home is None else shapes.repository(github, home),
    }


def pull(request: Request, one: Issue, kept: Pull) -> Json:
    """Return the pull request as it stands in a list."""
    home, github = request.repository, request.github
    url, page = shapes.url_of(github, home), f"{shapes.page_url(github, home)}/pull/{one.number}"
    own = f"{url}/pulls/{one.number}"
    links = {
        "self": own,
        "html": page,
        "issue": f"{url}/issues/{one.number}",
        "comments": f"{url}/issues/{one.number}/comments",
        "review_comments": f"{own}/comments",
        "review_comment": f"{url}/pulls/comments{{/number}}",
        "commits": f"{own}/commits",
        "statuses": f"{url}/statuses/{kept.head_sha}",
    }
    return {
        **_common(request, one),
        "node_id": shapes.node("PullRequest", one.id),
        "url": own,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        **{f"{name}_url": links[name] for name in links if name not in ("self", "html")},
        "draft": kept.draft,
        "merged_at": shapes.stamp(kept.merged),
        "merge_commit_sha": kept.merged_sha,
        "requested_reviewers": [],
        "requested_teams": [],
        "auto_merge": None,
        "head": _side(
            request,
            kept.head_owner,
            github.repositories.get(kept.head_repository or ""),
            kept.head,
            kept.head_sha,
        ),
        "base": _side(request, home.owner.login, home, kept.base, kept.base_sha),
        "_links": {name: {"href": href} for name, href in links.items()},
    }


def whole_pull(request: Request, one: Issue, kept: Pull) -> Json:
    """Return the pull request as asked for by itself: with what costs a look into git."""
    home, contents = request.repository, request.contents
    base = home.branch(kept.base) or kept.base_sha
    start = plumbing.merge_base(home.path, kept.base_sha if kept.merged else base, kept.head_sha) or base
    numbers = plumbing.told(home.path, "diff", "--numstat", start, kept.head_sha).splitlines()
    counted = [[int(each) if each.isdecimal() else 0 for each in line.split("\t")[:2]] for line in numbers]
    mergeable: bool | None = None
    if one.state == "open":
        try:
            plumbing.merged_tree(home.path, base, kept.head_sha)
            mergeable = True
        except plumbing.Conflict:
            mergeable = False
    words = {True: "clean", False: "dirty", None: "unknown"}
    return {
        **pull(request, one, kept),
        "merged": kept.merged is not None,
        "merged_by": shapes.user(request.github, kept.merged_by),
        "mergeable": mergeable,
        "rebaseable": mergeable,
        "mergeable_state": words[mergeable],
        "comments": sum(each.issue == one.number for each in contents.comments.values()),
        "review_comments": sum(each.issue == one.number for each in contents.review_comments.values()),
        "maintainer_can_modify": False,
        "commits": len(plumbing.commits_between(home.path, start, kept.head_sha)),
        "additions": sum(line[0] for line in counted),
        "deletions": sum(line[1] for line in counted),
        "changed_files": len(counted),
    }
