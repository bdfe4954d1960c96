"""What the server remembers, as plain records. Times are UTC; ids are unique on the whole server."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Role = Literal["read", "triage", "write", "maintain", "admin"]
ROLES: tuple[Role, ...] = ("read", "triage", "write", "maintain", "admin")
TokenKind = Literal["pat", "workflow", "app"]


@dataclass(frozen=True)
class User:
    """Somebody with a login; `kind` is "User", "Bot" or "Organization"."""

    login: str
    id: int
    kind: str = "User"


@dataclass(frozen=True)
class Token:
    """A credential: a PAT acts as its user, the others by their permissions on one repository.

    `permissions` maps names as in a workflow file ("pull-requests") to "read" or "write".
    """

    value: str = field(repr=False)
    user: User
    kind: TokenKind
    repository: str | None = None
    permissions: dict[str, str] = field(default_factory=dict)


@dataclass
class Label:
    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass
class Reaction:
    id: int
    user: User
    content: str
    created: datetime


@dataclass
class Comment:
    id: int
    issue: int
    user: User
    body: str
    created: datetime
    updated: datetime
    reactions: list[Reaction] = field(default_factory=list)


@dataclass
class Pull:
    """What a pull request is beyond its issue; `head_repository` is None where the fork is gone."""

    base: str
    base_sha: str
    head: str
    head_repository: str | None
    head_owner: str
    head_sha: str
    draft: bool = False
    merged: datetime | None = None
    merged_sha: str | None = None
    merged_by: User | None = None


@dataclass
class Issue:
    """An issue, or where `pull` is set the issue side of a pull request; `labels` holds names."""

    number: int
    id: int
    title: str
    body: str | None
    user: User
    created: datetime
    updated: datetime
    state: Literal["open", "closed"] = "open"
    reason: str | None = None
    closed: datetime | None = None
    closed_by: User | None = None
    labels: list[str] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    pull: Pull | None = None


@dataclass
class IssueEvent:
    id: int
    issue: int
    event: str
    actor: User | None
    created: datetime
    label: str | None = None
    commit: str | None = None
    reason: str | None = None
    renamed: tuple[str, str] | None = None  # from and to


@dataclass
class ReviewComment:
    id: int
    review: int
    issue: int
    user: User
    body: str
    path: str
    line: int
    side: str
    position: int
    hunk: str
    commit: str
    created: datetime
    reactions: list[Reaction] = field(default_factory=list)


@dataclass
class Review:
    id: int
    issue: int
    user: User
    body: str
    state: str
    commit: str
    submitted: datetime | None


@dataclass
class Status:
    id: int
    sha: str
    context: str
    state: str
    description: str | None
    target_url: str | None
    creator: User
    created: datetime


@dataclass
class CheckRun:
    id: int
    sha: str
    name: str
    status: str
    conclusion: str | None
    started: datetime
    completed: datetime | None
    details_url: str | None
    external_id: str
    output: dict[str, Any]
    app: str
    annotations: int = 0


@dataclass
class Run:
    """One run of a workflow; a test may move `status` and `conclusion` on."""

    id: int
    number: int
    workflow: str
    name: str
    event: str
    branch: str
    sha: str
    actor: User
    created: datetime
    status: str = "queued"
    conclusion: str | None = None
    title: str = ""
    updated: datetime | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    group: str | None = None  # of its workflow's `concurrency`
    head_repository: int | None = None  # the id of the fork that a pull request's run is for


@dataclass
class Artifact:
    id: int
    name: str
    data: bytes = field(repr=False)
    created: datetime
    run: int | None = None
    expired: bool = False


@dataclass
class Runner:
    id: int
    name: str
    os: str
    status: str
    busy: bool
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Dispatch:
    """An accepted `workflow_dispatch` or `repository_dispatch`: what a test runs workflows with."""

    event: Literal["workflow_dispatch", "repository_dispatch"]
    repository: str
    actor: str
    ref: str
    sha: str
    workflow: str | None = None  # the path of the file
    inputs: dict[str, str] = field(default_factory=dict)
    event_type: str | None = None
    client_payload: dict[str, Any] = field(default_factory=dict)
    run_id: int | None = None


@dataclass
class Contents:
    """All that changes in a repository beside git itself; copied to show an older state where lists lag."""

    refs: dict[str, str] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    events: list[IssueEvent] = field(default_factory=list)
    comments: dict[int, Comment] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)  # by name in lower case
    reviews: dict[int, Review] = field(default_factory=dict)
    review_comments: dict[int, ReviewComment] = field(default_factory=dict)
    statuses: list[Status] = field(default_factory=list)
    check_runs: dict[int, CheckRun] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)
    artifacts: dict[int, Artifact] = field(default_factory=dict)
    runners: dict[int, Runner] = field(default_factory=dict)
