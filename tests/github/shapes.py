"""How users, repositories and labels look in answers."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from tests.github.records import ROLES, Label, User
from tests.github.repository import Repository
from tests.github.world import GitHub

Json = dict[str, Any]

_REPOSITORY_URLS = {
    "archive_url": "{archive_format}{/ref}",
    "assignees_url": "assignees{/user}",
    "blobs_url": "git/blobs{/sha}",
    "branches_url": "branches{/branch}",
    "collaborators_url": "collaborators{/collaborator}",
    "comments_url": "comments{/number}",
    "commits_url": "commits{/sha}",
    "compare_url": "compare/{base}...{head}",
    "contents_url": "contents/{+path}",
    "contributors_url": "contributors",
    "deployments_url": "deployments",
    "downloads_url": "downloads",
    "events_url": "events",
    "forks_url": "forks",
    "git_commits_url": "git/commits{/sha}",
    "git_refs_url": "git/refs{/sha}",
    "git_tags_url": "git/tags{/sha}",
    "hooks_url": "hooks",
    "issue_comment_url": "issues/comments{/number}",
    "issue_events_url": "issues/events{/number}",
    "issues_url": "issues{/number}",
    "keys_url": "keys{/key_id}",
    "labels_url": "labels{/name}",
    "languages_url": "languages",
    "merges_url": "merges",
    "milestones_url": "milestones{/number}",
    "notifications_url": "notifications{?since,all,participating}",
    "pulls_url": "pulls{/number}",
    "releases_url": "releases{/id}",
    "stargazers_url": "stargazers",
    "statuses_url": "statuses/{sha}",
    "subscribers_url": "subscribers",
    "subscription_url": "subscription",
    "tags_url": "tags",
    "teams_url": "teams",
    "trees_url": "git/trees{/sha}",
}
_USER_URLS = {
    "followers_url": "followers",
    "following_url": "following{/other_user}",
    "gists_url": "gists{/gist_id}",
    "starred_url": "starred{/owner}{/repo}",
    "subscriptions_url": "subscriptions",
    "organizations_url": "orgs",
    "repos_url": "repos",
    "events_url": "events{/privacy}",
    "received_events_url": "received_events",
}


def stamp(when: datetime | None) -> str | None:
    """Return a time as GitHub writes it."""
    return None if when is None else when.strftime("%Y-%m-%dT%H:%M:%SZ")


def node(kind: str, number: int | str) -> str:
    """Return an opaque id as GraphQL has them."""
    return base64.b64encode(f"{len(kind):03}:{kind}{number}".encode()).decode()


def user(github: GitHub, who: User | None) -> Json | None:
    if who is None:
        return None
    url = f"{github.api_url}/users/{who.login}"
    return {
        "login": who.login,
        "id": who.id,
        "node_id": node("User", who.id),
        "avatar_url": f"{github.server_url}/avatars/u/{who.id}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{github.server_url}/{who.login}",
        **{name: f"{url}/{rest}" for name, rest in _USER_URLS.items()},
        "type": who.kind,
        "site_admin": False,
        "user_view_type": "public",
    }


def url_of(github: GitHub, repository: Repository) -> str:
    return f"{github.api_url}/repos/{repository.full_name}"


def page_url(github: GitHub, repository: Repository) -> str:
    """Return the address that a human would open."""
    return f"{github.server_url}/{repository.full_name}"


def minimal_repository(github: GitHub, repository: Repository) -> Json:
    url = url_of(github, repository)
    return {
        "id": repository.id,
        "node_id": node("Repository", repository.id),
        "name": repository.name,
        "full_name": repository.full_name,
        "private": repository.private,
        "owner": user(github, repository.owner),
        "html_url": page_url(github, repository),
        "description": repository.description,
        "fork": repository.parent is not None,
        "url": url,
        **{name: f"{url}/{rest}" for name, rest in _REPOSITORY_URLS.items()},
    }


def repository(github: GitHub, home: Repository) -> Json:
    """Return the repository as it stands inside a pull request."""
    page = page_url(github, home)
    issues = sum(issue.state == "open" for issue in home.contents.issues.values())
    return {
        **minimal_repository(github, home),
        "git_url": f"{page.replace('http:', 'git:')}.git",
        "ssh_url": f"git@127.0.0.1:{home.full_name}.git",
        "clone_url": f"{page}.git",
        "svn_url": page,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        "size": 0,
        "forks": 0,
        "forks_count": 0,
        "stargazers_count": 0,
        "watchers": 0,
        "watchers_count": 0,
        "open_issues": issues,
        "open_issues_count": issues,
        "default_branch": home.default_branch,
        "is_template": False,
        "topics": [],
        "has_issues": True,
        "has_projects": True,
        "has_wiki": True,
        "has_pages": False,
        "has_discussions": False,
        "archived": False,
        "disabled": False,
        "visibility": "private" if home.private else "public",
        "web_commit_signoff_required": False,
        "allow_forking": True,
        "pushed_at": stamp(home.pushed),
        "created_at": stamp(home.created),
        "updated_at": stamp(home.pushed),
    }


def full_repository(github: GitHub, home: Repository, viewer: User | None) -> Json:
    """Return the repository as asked for by itself, with what `viewer` may do in it."""
    role = home.role_of(viewer)
    held = -1 if role is None else ROLES.index(role)
    names = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}
    shape = {
        **repository(github, home),
        "subscribers_count": 0,
        "network_count": 0,
        "permissions": {name: held >= [*ROLES].index(least) for name, least in names.items()},  # type: ignore[arg-type]
        "allow_merge_commit": home.allow_merge_commit,
        "allow_squash_merge": home.allow_squash_merge,
        "allow_rebase_merge": home.allow_rebase_merge,
        "allow_auto_merge": False,
        "delete_branch_on_merge": False,
        "temp_clone_token": "",
    }
    parent = github.repositories.get(home.parent or "")
    if parent is not None:
        shape["parent"] = shape["source"] = repository(github, parent)
    return shape


def label(github: GitHub, home: Repository, one: Label) -> Json:
    return {
        "id": one.id,
        "node_id": node("Label", one.id),
        "url": f"{url_of(github, home)}/labels/{one.name}",
        "name": one.name,
        "color": one.color,
        "default": False,
        "description": one.description,
        "archived_at": None,
        "archived_by": None,
    }


def association(home: Repository, who: User) -> str:
    """Return what `who` is to the repository, as GitHub says it beside everything people write."""
    if who.login == home.owner.login:
        return "OWNER"
    if who.login in home.roles:
        return "COLLABORATOR"
    return "NONE"
