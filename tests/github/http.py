"""The HTTP side: one call comes in, meets its fault if it has one, is answered, and is written down."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import socket
import struct
import tempfile
import time
import traceback
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import IO, Any, ClassVar
from urllib.parse import urlsplit

from tests.github import access, backend, dispatch
from tests.github.faults import Fault
from tests.github.records import Token
from tests.github.routing import Answer
from tests.github.rules import DOCS, SECONDARY
from tests.github.world import API, GRAPHQL, Call, GitHub

_MOST_JSON = 4 << 20  # bytes of one request's body
_MOST_PACK = 512 << 20
_UNICORN = b"<html><body><h1>502 Bad Gateway</h1>The server returned an invalid response.</body></html>"


class Handler(BaseHTTPRequestHandler):
    """Answers calls of the REST API under /api/v3 and git's under /OWNER/NAME.git."""

    github: ClassVar[GitHub]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 30  # seconds that an idle connection may keep its thread
    server_version = "GitHub.com"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: `calls` keeps what came."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = do_GET

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query = parts.path == GRAPHQL
        rest = query or parts.path.startswith(f"{API}/")
        path = "/graphql" if query else parts.path.removeprefix(API) if rest else parts.path
        method = "GET" if self.command == "HEAD" else self.command
        if not rest:  # on a connection in use libcurl would repeat a call that broke, and hide the fault
            self.close_connection = True
        time.sleep(self.github.delay)
        fault, index = self.github.faults.meet(method, path)
        token = self._token()
        user = token.user.login if token else None

        def note(status: int | None, values: Any = None) -> None:
            """Write the call down before its answer goes out: who has the answer finds the call."""
            if fault is not None:
                status = {"before": 502, "bad_gateway": 502, "forbidden": 403}.get(fault.kind)
            call = Call(method, path, status, user, values, time.time(), parts.query, index)
            kept = self.github.calls if rest else self.github.git_calls
            self.github.note(self.github.queries if query else kept, call)

        with tempfile.SpooledTemporaryFile(max_size=1 << 20) as body:
            whole = self._read_body(body, _MOST_JSON if rest else _MOST_PACK)
            if fault is not None and not fault.spares:
                note(None)
                self._fail(fault)
            elif rest:
                data = body.read() if whole else None
                values, answer = dispatch.respond(
                    self.github, method, path, parts.query, self.headers, data, token
                )
                note(answer.status, values)
                if fault is None:
                    self._send_answer(answer, token, "graphql" if query else "core")
                else:
                    self._fail(fault)
            else:
                with self._git(method, path, parts.query, body, whole, token) as done:
                    note(done.status)
                    if fault is None:
                        self._send_stream(done)
                    else:
                        self._fail(fault)

    # ---- coming in ----

    def _read_body(self, into: IO[bytes], most: int) -> bool:
        """Read the body, in chunks or of a known length; return False where it is longer than `most`."""
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            total = 0
            while (size := int(self.rfile.readline(32).split(b";")[0], 16)) > 0:
                total += size
                if total > most:
                    self.close_connection = True
                    return False
                into.write(self.rfile.read(size))
                self.rfile.readline(4)
            self.rfile.readline(4)
        else:
            left = int(self.headers.get("content-length") or 0)
            if left > most:
                self.close_connection = True
                return False
            while left > 0 and (block := self.rfile.read(min(left, 1 << 16))):
                into.write(block)
                left -= len(block)
        into.seek(0)
        return True

    def _token(self) -> Token | None:
        said = access.credential(self.headers.get("authorization"))
        return self.github.tokens.get(said) if said is not None else None

    def _git(
        self, method: str, path: str, query: str, body: IO[bytes], whole: bool, token: Token | None
    ) -> backend.Done:
        if not whole:
            return backend.say(413, "Payload too big")
        try:
            return backend.answer(self.github, self.headers, method, path, query, body, token)
        except Exception:
            self.github.broken.append(f"{method} {path}\n{traceback.format_exc()}")
            return backend.say(500, "Server Error")

    # ---- going out ----

    def _send_answer(self, answer: Answer, token: Token | None, resource: str) -> None:
        data = b""
        kind = "application/json; charset=utf-8"
        if isinstance(answer.payload, bytes):
            data, kind = answer.payload, "application/octet-stream"
        elif answer.payload is not None:
            data = json.dumps(answer.payload).encode()
        etag = f'W/"{hashlib.sha256(data).hexdigest()}"' if answer.status == 200 else None
        unchanged = etag is not None and self.headers.get("if-none-match") == etag
        if unchanged:
            self.github.limits.refund(token)
        headers = {
            "x-github-media-type": "github.v3; format=json",
            "x-github-api-version-selected": self.headers.get("x-github-api-version") or dispatch.VERSIONS[0],
            "x-github-request-id": f"{self.github.faults.count:04X}:{id(answer) & 0xFFFFFF:06X}",
            **self.github.limits.headers(token, resource),
            **answer.headers,
        }
        if token is not None and token.kind == "pat":
            headers["x-oauth-scopes"] = "repo, workflow" if "workflows" in token.permissions else "repo"
        if etag is not None and self.command in ("GET", "HEAD"):
            headers["etag"] = etag
        if unchanged:
            self._send(304, b"", headers)
        else:
            self._send(answer.status, data, headers | ({"content-type": kind} if data else {}))

    def _send(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        self._send_stream(backend.Done(status, dict(headers), io.BytesIO(data), len(data)))

    def _send_stream(self, done: backend.Done) -> None:
        try:
            self.send_response(done.status)
            for name, value in done.headers.items():
                self.send_header(name, value)
            if self.close_connection:
                self.send_header("connection", "close")
            if done.status not in (204, 304):
                self.send_header("content-length", str(done.length))
            self.end_headers()
            if self.command != "HEAD":
                shutil.copyfileobj(done.body, self.wfile)
            self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _fail(self, fault: Fault) -> None:
        """End the call as `fault` says."""
        if fault.kind in ("before", "bad_gateway"):
            self._send(502, _UNICORN, {"content-type": "text/html"})
        elif fault.kind == "forbidden":
            data = json.dumps({"message": SECONDARY, "documentation_url": DOCS}).encode()
            kind = "application/json; charset=utf-8"
            self._send(403, data, {"content-type": kind, "retry-after": str(fault.retry_after)})
        else:
            self.close_connection = True
            if fault.kind == "reset":  # closing with this option set sends RST
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
            else:
                self.connection.shutdown(socket.SHUT_RDWR)
