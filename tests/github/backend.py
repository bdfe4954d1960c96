"""Git over HTTP: credentials as GitHub asks for them, then git's own http-backend.

https://git-scm.com/docs/git-http-backend
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from email.message import Message
from typing import IO

from bot.base.process import scrubbed_environment
from tests.github import access
from tests.github.records import Token
from tests.github.world import GitHub

_PATH = re.compile(r"/(?P<name>[^/]+/[^/]+?)(\.git)?/(?P<rest>info/refs|git-upload-pack|git-receive-pack)$")
_SECONDS = 120


@dataclass
class Done:
    """An answer to git; `body` is `length` bytes from where it stands."""

    status: int
    headers: dict[str, str]
    body: IO[bytes] = field(repr=False)
    length: int
    files: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)

    def __enter__(self) -> Done:
        return self

    def __exit__(self, *_: object) -> None:
        self.files.close()


def answer(
    github: GitHub,
    headers: Message,
    method: str,
    path: str,
    query: str,
    body: IO[bytes],
    token: Token | None,
) -> Done:
    """Return what git is to be told: a refusal in words, or what http-backend says."""
    match = _PATH.match(path)
    if match is None:
        return say(404, "Not Found")
    writes = "git-receive-pack" in (match["rest"], query.removeprefix("service="))
    if token is None and access.credential(headers.get("authorization")) is not None:
        return _ask("Invalid username or token. Password authentication is not supported for Git operations.")
    repository = github.find_repository(match["name"])
    if token is None and (writes or repository is None or repository.private):
        return _ask("No anonymous write access." if writes else "Authentication failed.")
    if repository is None or not access.sees(token, repository):
        return say(404, "Repository not found.")
    if token is not None and not _allowed(github, token, repository.full_name, writes):
        return say(403, f"Permission to {repository.full_name}.git denied to {token.user.login}.")
    pushes = match["rest"] == "git-receive-pack"
    if pushes:
        with github.lock:
            repository.pusher = token.user if token else None
            if github.lag:
                repository.remember()
    try:
        place = f"/{repository.full_name}.git/{match['rest']}"
        return _backend(github, headers, method, place, query, body, token)
    finally:
        if pushes:
            with github.lock:
                repository.sync(token.user if token else None)
                repository.pusher = None


def _allowed(github: GitHub, token: Token, full_name: str, writes: bool) -> bool:
    repository = github.repositories[full_name]
    if token.kind == "pat":
        return access.has_role(token.user, repository, "write" if writes else "read")
    return access.permits(token, repository, "contents:write" if writes else "contents:read")


def _backend(
    github: GitHub,
    headers: Message,
    method: str,
    path: str,
    query: str,
    body: IO[bytes],
    token: Token | None,
) -> Done:
    body.seek(0, os.SEEK_END)
    length = body.tell()
    body.seek(0)
    rules = _protection(github, path)
    env = scrubbed_environment(
        {
            "GIT_PROJECT_ROOT": str(github.folder / "repositories"),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": method,
            "CONTENT_TYPE": headers.get("content-type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
            "HTTP_GIT_PROTOCOL": headers.get("git-protocol", ""),
            "REMOTE_USER": token.user.login if token else "",
            "REMOTE_ADDR": "127.0.0.1",
            "NOCTURNE_TEST_PROTECTED": rules,
            "NOCTURNE_TEST_MAY_WRITE_WORKFLOWS": "yes" if _may_write_workflows(token) else "no",
        }
    )
    with contextlib.ExitStack() as stack:
        stdin, out = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        shutil.copyfileobj(body, stdin)
        stdin.seek(0)
        subprocess.run(
            ["git", "http-backend"],
            stdin=stdin,
            stdout=out,
            stderr=subprocess.DEVNULL,
            env=env,
            timeout=_SECONDS,
            check=False,
        )
        end = out.seek(0, os.SEEK_END)
        out.seek(0)
        status, said = 200, {}
        while line := out.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            if name.lower() == "status":
                status = int(value.split()[0])
            else:
                said[name] = value.strip()
        kept = stack.pop_all()
    return Done(status, said, out, end - out.tell(), kept)


def _protection(github: GitHub, path: str) -> str:
    """Write the repository's protected branches down for the hook; return the file, "" where there are none."""
    home = github.repositories[path.removeprefix("/").partition(".git/")[0]]
    if not home.required:
        return ""
    with github.lock:
        file = github.folder / f"protected-{home.id}"
        file.write_text(home.protection())
    return str(file)


def _may_write_workflows(token: Token | None) -> bool:
    """A job's token never may, an App's where it has the permission, a person's where it has the scope."""
    return token is not None and token.kind != "workflow" and "workflows" in token.permissions


def say(status: int, text: str, headers: dict[str, str] | None = None) -> Done:
    """Return an answer of plain text; git shows it after \"remote:\"."""
    data = text.encode()
    said = {"content-type": "text/plain; charset=utf-8", **(headers or {})}
    return Done(status, said, io.BytesIO(data), len(data))


def _ask(text: str) -> Done:
    return say(401, text, {"www-authenticate": 'Basic realm="GitHub"'})
