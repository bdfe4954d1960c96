"""Starts the GitHub on loopback.

with serve(folder) as github:
    models = github.repository("octo/models")
    token = github.token("alice")  # a PAT; `models.collaborator("alice", "write")` lets it push
    ...  # GITHUB_API_URL=github.api_url, GITHUB_SERVER_URL=github.server_url

The way of a call: `http` takes it in and lets it meet its fault (`faults`); git's go to `backend`, those of
the REST API to `dispatch`, which finds the route (`routing`), asks `access` and `limits`, and calls one of
the functions in `rest_*`. What they change are `records` in a `repository`; `rules` has the refusals,
`shapes*` how things look in an answer.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests import leaks
from tests.github import (  # noqa: F401 - each registers its routes
    graphql,
    rest_actions,
    rest_artifacts,
    rest_checks,
    rest_comments,
    rest_commits,
    rest_issues,
    rest_labels,
    rest_merging,
    rest_pulls,
    rest_reactions,
    rest_refs,
    rest_repositories,
    rest_reviews,
    rest_rules,
    rest_runs,
    rest_settings,
    rest_statuses,
    rest_users,
)
from tests.github.faults import Fault, Faults
from tests.github.http import Handler
from tests.github.records import Dispatch
from tests.github.repository import Repository
from tests.github.world import Call, GitHub

__all__ = ["Call", "Dispatch", "Fault", "Faults", "GitHub", "Repository", "serve"]


class _Server(ThreadingHTTPServer):
    """Knows its open connections, so that the end does not wait for clients that keep theirs."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        self._answering: set[threading.Thread] = set()
        self._guard = threading.Lock()
        super().__init__(*args)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
            self._answering.add(threading.current_thread())
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._guard:
                self._open.discard(request)
                self._answering.discard(threading.current_thread())

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that went away, and loud about everything else."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError | ValueError):
            super().handle_error(request, client_address)

    def end(self, seconds: float) -> None:
        """Stop, close all connections, and wait at most `seconds` for those that still answer."""
        self.shutdown()
        self.server_close()
        with self._guard:
            connections, threads = list(self._open), list(self._answering)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[GitHub]:
    """Serve a new GitHub from `folder`, which takes its repositories, on a free port until the block ends.

    Raises `AssertionError` at the end where the server itself broke on a call.
    """
    handler = type("BoundHandler", (Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    github = GitHub(folder=folder, server_url=f"http://127.0.0.1:{server.server_address[1]}")
    handler.github = github  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    leaks.SERVED.append(github)
    try:
        yield github
    finally:
        leaks.ENDED.append(github)
        server.end(5.0)
        thread.join(5.0)
    assert not github.broken, "\n".join(github.broken)
