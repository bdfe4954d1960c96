"""A clone and a client of the server, as tests use them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bot.base.process import run
from tests.github.records import TokenKind
from tests.github.repository import Repository
from tests.github.world import GitHub

PERMISSIONS = dict.fromkeys(("contents", "pull-requests", "statuses", "issues", "actions", "checks"), "write")
_WHO = {
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
}


@dataclass
class Context:
    """The repository octo/models on `github`, cloned to `path`, with the rights of one token."""

    github: GitHub
    path: Path
    login: str = "github-actions[bot]"
    kind: TokenKind = "workflow"
    private: bool = True
    permissions: dict[str, str] | None = field(default_factory=lambda: dict(PERMISSIONS))

    def __post_init__(self) -> None:
        self.repository: Repository = self.github.repository("octo/models", private=self.private)
        run(["git", "init", "--quiet", "--initial-branch=main", str(self.path)])
        self.git("remote", "add", "origin", f"{self.github.server_url}/octo/models.git")

    @cached_property
    def token(self) -> str:
        return self.github.token(self.login, self.kind, self.repository, self.permissions)

    @cached_property
    def client(self) -> Any:
        """A PyGithub client that neither retries nor waits."""
        return self.client_of(self.token)

    @cached_property
    def rest(self) -> Any:
        """PyGithub's repository."""
        return self.client.get_repo("octo/models")

    def client_of(self, token: str | None) -> Any:
        import github

        auth = None if token is None else github.Auth.Token(token)
        return github.Github(
            base_url=self.github.api_url,
            auth=auth,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
        )

    def git(self, *command: str, token: str | None = None, stdin: bytes | None = None) -> str:
        """Run git with the context's token, or `token`; an empty one means none."""
        env = dict(_WHO)
        chosen = self.token if token is None else token
        if chosen:
            basic = base64.b64encode(f"x-access-token:{chosen}".encode()).decode()
            env |= {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"http.{self.github.server_url}/.extraHeader",
                "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
            }
        command = ("git", "-C", str(self.path), *command)
        return run(command, stdin=stdin, env=env, timeout=60).decode().removesuffix("\n")

    def commit(self, message: str, files: dict[str, str]) -> str:
        """Write `files`, commit everything, and return the commit."""
        for name, text in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--file=-", stdin=message.encode())  # `leaks.Watch` reads command lines
        return self.git("rev-parse", "HEAD")

    def push(self, branch: str, *, token: str | None = None) -> None:
        """Push what is checked out to `branch`."""
        self.git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}", token=token)
