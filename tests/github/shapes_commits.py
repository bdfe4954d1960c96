"""How commits, branches, diffs and files look in answers."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from tests.github import plumbing, shapes
from tests.github.repository import Repository
from tests.github.routing import Request
from tests.github.shapes import Json

_FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B"
_UNSIGNED = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}
_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def _when(seconds: str) -> str | None:
    return shapes.stamp(datetime.fromtimestamp(int(seconds), timezone.utc))


def _fields(home: Repository, sha: str) -> list[str]:
    return plumbing.git(
        home.path, "show", "--no-patch", "--no-show-signature", f"--format={_FORMAT}", sha
    ).split("\0", 9)


def git_commit(request: Request, sha: str) -> Json:
    """Return the commit as git has it: what /git/commits answers."""
    url, page = (
        shapes.url_of(request.github, request.repository),
        shapes.page_url(request.github, request.repository),
    )
    _, tree, parents, name, email, at, c_name, c_email, c_at, message = _fields(request.repository, sha)
    return {
        "sha": sha,
        "node_id": shapes.node("Commit", sha),
        "url": f"{url}/git/commits/{sha}",
        "html_url": f"{page}/commit/{sha}",
        "author": {"name": name, "email": email, "date": _when(at)},
        "committer": {"name": c_name, "email": c_email, "date": _when(c_at)},
        "message": message.rstrip("\n"),
        "tree": {"sha": tree, "url": f"{url}/git/trees/{tree}"},
        "parents": [
            {"sha": parent, "url": f"{url}/git/commits/{parent}", "html_url": f"{page}/commit/{parent}"}
            for parent in parents.split()
        ],
        "verification": _UNSIGNED,
    }


def commit(request: Request, sha: str) -> Json:
    """Return the commit as the repository has it, without its files."""
    url, page = (
        shapes.url_of(request.github, request.repository),
        shapes.page_url(request.github, request.repository),
    )
    inner = git_commit(request, sha)
    return {
        "sha": sha,
        "node_id": inner["node_id"],
        "url": f"{url}/commits/{sha}",
        "html_url": f"{page}/commit/{sha}",
        "comments_url": f"{url}/commits/{sha}/comments",
        "commit": {
            "author": inner["author"],
            "committer": inner["committer"],
            "message": inner["message"],
            "tree": inner["tree"],
            "url": inner["url"],
            "comment_count": 0,
            "verification": _UNSIGNED,
        },
        "author": None,
        "committer": None,
        "parents": [{**each, "url": each["url"].replace("/git/", "/")} for each in inner["parents"]],
    }


def short_branch(request: Request, name: str, sha: str) -> Json:
    url = shapes.url_of(request.github, request.repository)
    return {"name": name, "commit": {"sha": sha, "url": f"{url}/commits/{sha}"}, "protected": False}


def whole_branch(request: Request, name: str, sha: str) -> Json:
    url = shapes.url_of(request.github, request.repository)
    checks = {"enforcement_level": "off", "contexts": [], "checks": []}
    return {
        "name": name,
        "commit": commit(request, sha),
        "_links": {
            "self": f"{url}/branches/{name}",
            "html": f"{shapes.page_url(request.github, request.repository)}/tree/{name}",
        },
        "protected": False,
        "protection": {"enabled": False, "required_status_checks": checks},
        "protection_url": f"{url}/branches/{name}/protection",
    }


def files(request: Request, base: str, head: str) -> list[Json]:
    """Return what changed from `base` to `head`, as the files of a pull request."""
    url, page = (
        shapes.url_of(request.github, request.repository),
        shapes.page_url(request.github, request.repository),
    )
    kinds = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied", "T": "changed"}
    path = request.repository.path
    raw = plumbing.git(path, "diff", "--raw", "-z", "-M", "--no-abbrev", base, head).split("\0")
    found, place = [], 0
    while place < len(raw) - 1:
        *_, old, new, kind = raw[place].split(" ")
        names = raw[place + 1 : place + (3 if kind[0] in "RC" else 2)]
        place += 1 + len(names)
        patch = plumbing.git(path, "diff", "-M", base, head, "--", *names)
        stat = plumbing.git(path, "diff", "-M", "--numstat", base, head, "--", *names).split("\t")
        plus, minus = (int(each) if each.isdecimal() else 0 for each in stat[:2])
        name, blob = names[-1], old if kind == "D" else new
        entry: Json = {
            "sha": blob,
            "filename": name,
            "status": kinds[kind[0]],
            "additions": plus,
            "deletions": minus,
            "changes": plus + minus,
            "blob_url": f"{page}/blob/{head}/{name}",
            "raw_url": f"{page}/raw/{head}/{name}",
            "contents_url": f"{url}/contents/{name}?ref={head}",
        }
        if "\n@@" in patch:  # no patch for binary files
            entry["patch"] = patch[patch.index("\n@@") + 1 :]
        if len(names) == 2:
            entry["previous_filename"] = names[0]
        found.append(entry)
    return found


def commentable(patch: str) -> dict[tuple[str, int], tuple[int, str]]:
    """Return the lines that a review may comment on: (side, line) to (position in the diff, hunk so far)."""
    places: dict[tuple[str, int], tuple[int, str]] = {}
    old = new = 0
    hunk: list[str] = []
    for position, line in enumerate(patch.split("\n")):
        head = _HUNK.match(line)
        if head:
            old, new, hunk = int(head[1]), int(head[3]), [line]
            continue
        hunk.append(line)
        so_far = "\n".join(hunk)
        if line[:1] in (" ", "-"):
            places["LEFT", old] = (position, so_far)
            old += 1
        if line[:1] in (" ", "+"):
            places["RIGHT", new] = (position, so_far)
            new += 1
    return places
