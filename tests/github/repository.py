"""One repository: git on disk, what people wrote about it, and what a moved branch means for pull requests."""

from __future__ import annotations

import copy
import json
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tests.github import concurrency, plumbing
from tests.github.records import (
    ROLES,
    Artifact,
    Contents,
    Issue,
    IssueEvent,
    Label,
    Pull,
    Role,
    Runner,
    User,
)

_KEPT_STATES = 8  # older states kept for lists that lag
DEFAULT_LABELS = (
    ("bug", "d73a4a", "Something isn't working"),
    ("enhancement", "a2eeef", "New feature or request"),
)


def now() -> datetime:
    """Return the time in UTC, in whole seconds, as GitHub keeps it."""
    return datetime.now(timezone.utc).replace(microsecond=0)


@dataclass
class Repository:
    """A repository of the server. Tests use `path`, `full_name`, `collaborator` and the settings."""

    owner: User
    name: str
    path: Path
    private: bool
    default_branch: str
    id: int
    new_id: Callable[[], int] = field(repr=False)
    find_user: Callable[[str], User] = field(repr=False)
    find_repository: Callable[[str], Repository | None] = field(repr=False)
    parent: str | None = None
    created: datetime = field(default_factory=now)
    pushed: datetime = field(default_factory=now)
    contents: Contents = field(default_factory=Contents, repr=False)
    roles: dict[str, Role] = field(default_factory=dict)
    required: dict[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # by branch: checks that must have passed
    secrets: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    pusher: User | None = None  # who is pushing at this moment
    workflows_enabled: bool = True
    workflow_permissions: str = "read"
    actions_may_open_pulls: bool = True
    rules: dict[str, list[str]] = field(default_factory=dict)  # by branch, the types of its rules
    may_bypass_rules: str = "never"
    merges_disturbed: int = 0  # so many merges to come find their base modified
    allow_merge_commit: bool = True
    allow_squash_merge: bool = True
    allow_rebase_merge: bool = True
    description: str | None = None
    _last_number: int = 0
    _last_run: int = 0
    _older: deque[Contents] = field(default_factory=lambda: deque(maxlen=_KEPT_STATES), repr=False)
    _shown: Counter[tuple[str, str]] = field(default_factory=Counter, repr=False)

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    # ---- what tests arrange ----

    def collaborator(self, login: str, role: Role) -> None:
        """Give `login` (made when missing) the role."""
        if role not in ROLES:
            raise ValueError(f"role: {role}: one of {', '.join(ROLES)}")
        self.roles[self.find_user(login).login] = role

    def runner(
        self,
        name: str,
        labels: tuple[str, ...] = ("self-hosted", "gpu"),
        status: str = "online",
        busy: bool = False,
    ) -> Runner:
        """Register a self-hosted runner."""
        runner = Runner(self.new_id(), name, "linux", status, busy, labels)
        self.contents.runners[runner.id] = runner
        return runner

    def artifact(self, name: str, data: bytes, run: int | None = None) -> Artifact:
        """Leave an artifact, `data` being a zip file, of the run with the id `run`."""
        artifact = Artifact(self.new_id(), name, data, now(), run)
        self.contents.artifacts[artifact.id] = artifact
        return artifact

    def finish_run(self, run_id: int, conclusion: str = "success") -> None:
        """Let the run of a workflow be over: whoever ran it says how it ended."""
        concurrency.end(self.contents.runs, self.contents.runs[run_id], conclusion, now())

    def pull(self, number: int) -> Issue:
        """Return the pull request `number` for a test to look at."""
        issue = self.contents.issues[number]
        if issue.pull is None:
            raise KeyError(number)
        return issue

    # ---- what routes use ----

    def role_of(self, user: User | None) -> Role | None:
        """Return the role of `user`, "read" for everybody where the repository is public."""
        if user is not None:
            if user.login == self.owner.login:
                return "admin"
            if user.login in self.roles:
                return self.roles[user.login]
        return None if self.private else "read"

    def next_number(self) -> int:
        self._last_number += 1
        return self._last_number

    def next_run(self) -> int:
        self._last_run += 1
        return self._last_run

    def label(self, name: str, color: str = "ededed", description: str | None = None) -> Label:
        """Return the label `name`, made when missing, as adding one to an issue makes it."""
        key = name.lower()
        if key not in self.contents.labels:
            self.contents.labels[key] = Label(self.new_id(), name, color, description)
        return self.contents.labels[key]

    def event(self, issue: Issue, event: str, actor: User | None, **more: Any) -> None:
        self.contents.events.append(IssueEvent(self.new_id(), issue.number, event, actor, now(), **more))

    def set_state(self, issue: Issue, state: str, actor: User | None, reason: str | None = None) -> None:
        """Open or close `issue`; nothing where it is so already."""
        if state == issue.state:
            return
        issue.updated = now()
        if state == "closed":
            issue.state, issue.closed, issue.closed_by = "closed", issue.updated, actor
            issue.reason = None if issue.pull else reason or "completed"
        else:
            issue.state, issue.closed, issue.closed_by = "open", None, None
            issue.reason = None if issue.pull else "reopened"
        self.event(issue, "closed" if state == "closed" else "reopened", actor, reason=issue.reason)

    def branch(self, name: str) -> str | None:
        return self.contents.refs.get(f"refs/heads/{name}")

    def head_of(self, pull: Pull) -> str | None:
        """Return where the branch of `pull` is now, in whichever repository it is."""
        home = (
            self
            if pull.head_repository == self.full_name
            else self.find_repository(pull.head_repository or "")
        )
        return None if home is None else home.branch(pull.head)

    # ---- protected branches ----

    def lacks(self, branch: str, sha: str) -> str | None:
        """Return a check that `branch` requires and `sha` has not passed; None where it may be put there.

        A status and a check run of the name count alike, and of several the newest.
        """
        passed = {each.context: each.state == "success" for each in self.contents.statuses if each.sha == sha}
        passed |= {
            run.name: run.conclusion in ("success", "neutral", "skipped")
            for run in self.contents.check_runs.values()
            if run.sha == sha
        }
        return next((name for name in self.required.get(branch, ()) if not passed.get(name)), None)

    def protection(self) -> str:
        """Return, for the hook, what each protected branch requires and which commits may be put there."""
        lines = []
        known = {each.sha for each in self.contents.statuses}
        known |= {run.sha for run in self.contents.check_runs.values()}
        for branch, required in self.required.items():
            lines.append(f"refs/heads/{branch} required {', '.join(required)}")
            lines += [f"refs/heads/{branch} {sha}" for sha in known if self.lacks(branch, sha) is None]
        return "".join(f"{line}\n" for line in lines)

    # ---- lists that lag ----

    def remember(self) -> None:
        """Keep the present state: something is about to change, and lists may be late to show it."""
        self._older.append(copy.deepcopy(self.contents))

    def late(self, key: str, lag: int, read: Callable[[Contents], Any]) -> Any:
        """Return what `read` makes of the state, the first `lag` times that of before its last change."""
        fresh = read(self.contents)
        if lag <= 0:
            return fresh
        for older in reversed(self._older):
            try:
                stale = read(older)
            except KeyError:
                return fresh
            if stale != fresh:
                seen = (key, json.dumps(fresh, sort_keys=True))
                self._shown[seen] += 1
                return stale if self._shown[seen] <= lag else fresh
        return fresh

    # ---- what a push means ----

    def sync(self, actor: User | None = None) -> None:
        """Take in what happened to the refs: heads move, pull requests merge and close."""
        actor = actor or self.pusher
        before, after = self.contents.refs, plumbing.read_refs(self.path)
        if before == after:
            return
        self.contents.refs = after
        self.pushed = now()
        moved = {
            ref.removeprefix("refs/heads/")
            for ref in before.keys() | after.keys()
            if ref.startswith("refs/heads/") and before.get(ref) != after.get(ref)
        }
        if not moved:
            return
        for home in (self, self.find_repository(self.parent or "")):
            if home is not None:
                for issue in list(home.contents.issues.values()):
                    if issue.pull is not None:
                        home._follow(issue, issue.pull, self, moved, actor)
        self.contents.refs = plumbing.read_refs(self.path)

    def _follow(
        self, issue: Issue, pull: Pull, pushed: Repository, moved: set[str], actor: User | None
    ) -> None:
        head_moved = pull.head_repository == pushed.full_name and pull.head in moved
        base_moved = pushed is self and pull.base in moved
        if issue.state == "closed":
            return
        head = self.head_of(pull)
        base = self.branch(pull.base)
        if base_moved and base is not None:
            landed = head if head is not None else pull.head_sha
            if plumbing.has_object(self.path, landed) and plumbing.is_ancestor(self.path, landed, base):
                self.move_head(issue, pull, landed)
                self.mark_merged(issue, pull, self._landing_commit(landed, base), actor)
                return
        if (head_moved and head is None) or (base_moved and base is None):
            self.set_state(issue, "closed", actor)
        elif head_moved and head is not None:
            self.move_head(issue, pull, head)
            pull.base_sha = base or pull.base_sha
            if base is not None and plumbing.is_ancestor(self.path, head, base):
                self.set_state(issue, "closed", actor)  # nothing is left to merge

    def move_head(self, issue: Issue, pull: Pull, sha: str) -> None:
        """Put the pull request's own ref, and what it says of its head, on `sha`."""
        self.bring(pull, sha)
        ref = f"refs/pull/{issue.number}/head"
        if self.contents.refs.get(ref) != sha:
            plumbing.set_ref(self.path, ref, sha)
            self.contents.refs[ref] = sha
        if pull.head_sha != sha:
            pull.head_sha = sha
            issue.updated = now()

    def bring(self, pull: Pull, sha: str) -> None:
        """Fetch `sha` from where the pull request comes from, unless it is here."""
        if not plumbing.has_object(self.path, sha):
            home = self.find_repository(pull.head_repository or "")
            if home is not None:
                plumbing.git(self.path, "fetch", "--quiet", str(home.path), sha)

    def mark_merged(self, issue: Issue, pull: Pull, sha: str, actor: User | None) -> None:
        """Turn the pull request merged; `sha` is the commit on the base that did it."""
        pull.merged, pull.merged_sha, pull.merged_by = now(), sha, actor
        self.event(issue, "merged", actor, commit=sha)
        self.set_state(issue, "closed", actor)

    def _landing_commit(self, head: str, base: str) -> str:
        """Return the first commit on the base's own line that holds `head`."""
        line = plumbing.git(self.path, "rev-list", "--first-parent", "-n", "2000", base).split()
        if head in line:
            return head
        later = plumbing.git(
            self.path, "rev-list", "--first-parent", "--ancestry-path", f"{head}..{base}"
        ).split()
        return later[-1] if later else base
