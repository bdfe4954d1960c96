"""Commits, comparisons and files. https://docs.github.com/rest/commits"""

from __future__ import annotations

import base64

from tests.github import plumbing, shapes, shapes_commits, shapes_issues
from tests.github.routing import Answer, Listing, Request, route
from tests.github.rules import Refused, not_found
from tests.github.shapes import Json

_MOST_CONTENT = 1 << 20  # bytes; larger files come without their content


@route("GET", "/repos/{owner}/{repo}/git/commits/{sha}", "contents:read")
def get_git_commit(request: Request) -> Answer:
    sha = request.places["sha"]
    if not plumbing.has_object(request.repository.path, sha, "commit"):
        raise not_found()
    return Answer(200, shapes_commits.git_commit(request, sha))


@route("GET", "/repos/{owner}/{repo}/commits", "contents:read")
def list_commits(request: Request) -> Listing:
    """The newest first, from `sha` (a branch or commit) or the default branch."""
    name = request.query.get("sha") or request.repository.default_branch
    start = plumbing.commit_of(request.repository.path, name)
    if start is None:
        if "sha" in request.query:
            raise not_found()
        raise Refused(409, "Git Repository is empty.")
    narrowed = ["--", request.query["path"]] if request.query.get("path") else []
    found = plumbing.git(request.repository.path, "rev-list", "-n", "1000", start, *narrowed).split()
    return Listing([shapes_commits.commit(request, sha) for sha in found])


@route("GET", "/repos/{owner}/{repo}/compare/{range:path}", "contents:read")
def compare(request: Request) -> Answer:
    home = request.repository
    base_name, dots, head_name = request.places["range"].partition("...")
    base, head = (_side(request, name) for name in (base_name, head_name))
    start = plumbing.merge_base(home.path, base, head) if dots else None
    if start is None:
        raise Refused(404, f"No common ancestor between {base_name} and {head_name}.")
    ahead = plumbing.commits_between(home.path, base, head)
    behind = plumbing.commits_between(home.path, head, base)
    status = {
        (False, False): "identical",
        (True, False): "ahead",
        (False, True): "behind",
        (True, True): "diverged",
    }
    url = f"{shapes.url_of(request.github, home)}/compare/{base_name}...{head_name}"
    page = f"{shapes.page_url(request.github, home)}/compare/{base_name}...{head_name}"
    shape = {
        "url": url,
        "html_url": page,
        "permalink_url": f"{shapes.page_url(request.github, home)}/compare/{base[:7]}...{head[:7]}",
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "base_commit": shapes_commits.commit(request, base),
        "merge_base_commit": shapes_commits.commit(request, start),
        "status": status[bool(ahead), bool(behind)],
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": [shapes_commits.commit(request, sha) for sha in ahead[:250]],
        "files": shapes_commits.files(request, start, head)[:300],
    }
    return Answer(200, shape)


@route("GET", "/repos/{owner}/{repo}/commits/{ref:path}/pulls", "pull-requests:read")
def list_pulls_of(request: Request) -> Listing:
    """The pull requests that brought or would bring the commit."""
    sha = _commit(request, request.places["ref"])
    found = []
    for issue in request.contents.issues.values():
        pull = issue.pull
        if pull and sha in plumbing.commits_between(request.repository.path, pull.base_sha, pull.head_sha):
            found.append(shapes_issues.pull(request, issue, pull))
    return Listing(found)


@route("GET", "/repos/{owner}/{repo}/commits/{ref:path}", "contents:read")
def get_commit(request: Request) -> Answer:
    sha = _commit(request, request.places["ref"])
    shape = shapes_commits.commit(request, sha)
    parents = shape["parents"]
    empty = plumbing.git(request.repository.path, "hash-object", "-t", "tree", "--stdin", stdin=b"")
    changed = shapes_commits.files(request, parents[0]["sha"] if parents else empty, sha)
    plus, minus = (sum(each[name] for each in changed) for name in ("additions", "deletions"))
    stats = {"additions": plus, "deletions": minus, "total": plus + minus}
    return Answer(200, {**shape, "stats": stats, "files": changed})


@route("GET", "/repos/{owner}/{repo}/contents", "contents:read")
def get_root(request: Request) -> Answer:
    return _contents(request, "")


@route("GET", "/repos/{owner}/{repo}/contents/{path:path}", "contents:read")
def get_contents(request: Request) -> Answer:
    return _contents(request, request.places["path"].strip("/"))


def _contents(request: Request, path: str) -> Answer:
    home = request.repository
    ref = request.query.get("ref") or home.default_branch
    commit = plumbing.commit_of(home.path, ref)
    if commit is None:
        raise Refused(
            404,
            f"No commit found for the ref {ref}" if "ref" in request.query else "This repository is empty.",
        )
    if ".." in path.split("/"):
        raise not_found()
    listed = plumbing.git(home.path, "ls-tree", "-l", "-z", commit, "--", *([path] if path else [])).split(
        "\0"
    )
    if path and not listed[0]:
        raise not_found()
    if path and listed[0].split()[1] == "blob":
        return Answer(200, _file(request, listed[0], ref, commit))
    inside = plumbing.git(home.path, "ls-tree", "-l", "-z", f"{commit}:{path}").split("\0")
    return Answer(200, [_entry(request, line, ref, path) for line in inside if line])


def _entry(request: Request, line: str, ref: str, folder: str) -> Json:
    home = request.repository
    about, _, name = line.partition("\t")
    _, kind, sha, size = about.split()
    path = f"{folder}/{name}" if folder else name
    url = f"{shapes.url_of(request.github, home)}/contents/{path}?ref={ref}"
    git_url = f"{shapes.url_of(request.github, home)}/git/{kind}s/{sha}"
    page = f"{shapes.page_url(request.github, home)}/{kind}/{ref}/{path}"
    blob = kind == "blob"
    return {
        "type": {"blob": "file", "tree": "dir", "commit": "submodule"}[kind],
        "size": int(size) if blob else 0,
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "url": url,
        "git_url": git_url,
        "html_url": page,
        "download_url": f"{shapes.page_url(request.github, home)}/raw/{ref}/{path}" if blob else None,
        "_links": {"self": url, "git": git_url, "html": page},
    }


def _file(request: Request, line: str, ref: str, commit: str) -> Json:
    shape = _entry(request, line, ref, "")
    data = plumbing.file_at(request.repository.path, commit, shape["path"]) or b""
    if len(data) > _MOST_CONTENT:
        return {**shape, "encoding": "none", "content": ""}
    return {**shape, "encoding": "base64", "content": base64.encodebytes(data).decode()}


def _side(request: Request, name: str) -> str:
    """Return the commit of one side of a comparison: a branch or commit, with its owner or without."""
    owner, colon, branch = name.partition(":")
    if colon and owner.lower() != request.repository.owner.login.lower():
        raise not_found()
    return _commit(request, branch if colon else name, 404)


def _commit(request: Request, name: str, status: int = 422) -> str:
    sha = plumbing.commit_of(request.repository.path, name)
    if sha is None:
        raise not_found() if status == 404 else Refused(422, f"No commit found for SHA: {name}")
    return sha
