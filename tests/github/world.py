"""The whole server's state: users, tokens, repositories, and what was called."""

from __future__ import annotations

import itertools
import secrets
import string
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import leaks
from tests.github import plumbing
from tests.github.faults import Faults
from tests.github.limits import Limits
from tests.github.records import Dispatch, Token, TokenKind, User
from tests.github.repository import DEFAULT_LABELS, Repository

API = "/api/v3"  # where GitHub Enterprise Server has its API
GRAPHQL = "/api/graphql"
_KEPT_CALLS = 50_000
_PREFIXES = {"pat": "ghp_", "workflow": "ghs_", "app": "ghs_"}
_LEAST = {  # where nothing else is said
    "pat": {"workflows": "write"},
    "workflow": {"contents": "read", "packages": "read"},
    "app": {},
}


@dataclass(frozen=True)
class Call:
    """One call as it came: `path` without the API's prefix and the query; `status` None where none was sent."""

    method: str
    path: str
    status: int | None
    token_user: str | None
    body: Any
    at: float
    query: str = ""
    index: int = 0  # its place among all calls, REST and git together

    @property
    def kind(self) -> str:
        """What of git's it is, such as `info/refs upload-pack` or `git-receive-pack`."""
        name = "/".join(self.path.split("/")[3:])
        return f"{name} {self.query.removeprefix('service=git-')}".strip()


@dataclass
class GitHub:
    """What `serve` gives: the addresses, and everything a test arranges or looks at."""

    folder: Path
    server_url: str
    lag: int = 0
    delay: float = 0.0  # seconds before each call is answered, as far away as the real one
    calls: list[Call] = field(default_factory=list)
    git_calls: list[Call] = field(default_factory=list)
    queries: list[Call] = field(default_factory=list)  # of GraphQL, which has a budget of its own
    broken: list[str] = field(default_factory=list)  # tracebacks of the server itself
    dispatches: list[Dispatch] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    limits: Limits = field(default_factory=Limits)
    users: dict[str, User] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict, repr=False)
    repositories: dict[str, Repository] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1001), repr=False)

    @property
    def api_url(self) -> str:
        return self.server_url + API

    def new_id(self) -> int:
        return next(self._ids)

    def user(self, login: str, kind: str | None = None) -> User:
        """Return the user `login`, made when missing; a login that ends in [bot] is a bot's."""
        with self.lock:
            if login not in self.users:
                kind = kind or ("Bot" if login.endswith("[bot]") else "User")
                self.users[login] = User(login, self.new_id(), kind)
            return self.users[login]

    def repository(self, full_name: str, private: bool = True, default_branch: str = "main") -> Repository:
        """Return the repository OWNER/NAME, made when missing, with nothing in it."""
        with self.lock:
            if full_name not in self.repositories:
                path = self.folder / "repositories" / f"{full_name}.git"
                plumbing.create(path, default_branch)
                self._keep(full_name, path, private, default_branch)
            return self.repositories[full_name]

    def fork(self, parent: Repository, login: str) -> Repository:
        """Return the fork that `login` has of `parent`, made when missing with the branches of now."""
        with self.lock:
            full_name = f"{login}/{parent.name}"
            if full_name not in self.repositories:
                path = self.folder / "repositories" / f"{full_name}.git"
                plumbing.clone(parent.path, path)
                fork = self._keep(full_name, path, parent.private, parent.default_branch)
                fork.parent = parent.full_name
                fork.sync()
            return self.repositories[full_name]

    def _keep(self, full_name: str, path: Path, private: bool, default_branch: str) -> Repository:
        owner, _, name = full_name.partition("/")
        repository = Repository(
            owner=self.user(owner),
            name=name,
            path=path,
            private=private,
            default_branch=default_branch,
            id=self.new_id(),
            new_id=self.new_id,
            find_user=self.user,
            find_repository=self.repositories.get,
        )
        for label in DEFAULT_LABELS:
            repository.label(*label)
        self.repositories[full_name] = repository
        return repository

    def token(
        self,
        login: str,
        kind: TokenKind = "pat",
        repository: Repository | None = None,
        permissions: Mapping[str, str] | None = None,
    ) -> str:
        """Return a new token of `login`.

        "pat" is a classic personal token with the scopes `repo` and `workflow` (with `permissions={}` without
        the second); "workflow" is a job's GITHUB_TOKEN and "app" that of an installed App, both for one
        `repository` with `permissions` such as {"pull-requests": "write"}.
        """
        if kind != "pat" and repository is None:
            raise ValueError(f"token: {kind}: needs its repository")
        given = dict(_LEAST[kind] if permissions is None else permissions)
        letters = string.ascii_letters + string.digits
        value = _PREFIXES[kind] + "".join(secrets.choice(letters) for _ in range(36))
        leaks.give(value)
        with self.lock:
            self.tokens[value] = Token(
                value=value,
                user=self.user(login),
                kind=kind,
                repository=repository.full_name if repository else None,
                permissions={name.replace("_", "-"): level for name, level in given.items()},
            )
        return value

    def revoke(self, value: str) -> None:
        """Let the token be unknown from now on, as one that has run out is."""
        with self.lock:
            self.tokens.pop(value, None)

    def find_repository(self, full_name: str) -> Repository | None:
        """Return the repository by its name in any case, or None."""
        found = self.repositories.get(full_name)
        if found is None:
            lowered = full_name.lower()
            found = next((each for name, each in self.repositories.items() if name.lower() == lowered), None)
        return found

    def note(self, calls: list[Call], call: Call) -> None:
        """Write a call down; of very many only the later ones are kept."""
        with self.lock:
            calls.append(call)
            if len(calls) > _KEPT_CALLS:
                del calls[: _KEPT_CALLS // 2]
