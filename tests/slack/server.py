"""Starts the Slack on loopback.

with serve() as slack:
    token, channel = slack.token(), slack.channel()
    ...  # SLACK_API_URL=slack.api_url, SLACK_BOT_TOKEN=token; channel.messages is what stands there

A call meets its fault (`tests.github.faults`; `forbidden` is a 429 here, `Fault("silence")` no answer for a
second, `Fault("down")` a 503, and `Fault("late")` one although the message stands there), then its method (`methods`),
which keeps the rules (`rules`).
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
import traceback
from collections.abc import Iterator
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.github.faults import Fault
from tests.slack import methods
from tests.slack.world import Call, Channel, Slack

__all__ = ["Channel", "Fault", "Slack", "serve"]
SILENCE = 1.5  # seconds


class _Handler(BaseHTTPRequestHandler):
    slack: ClassVar[Slack]
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: `calls` keeps what came."""

    def do_GET(self) -> None:
        self._say(405, b"", {})

    def do_POST(self) -> None:
        self.close_connection = True
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fault, _ = self.slack.faults.meet("POST", path.removeprefix("/api/"))
        if fault is not None and not fault.spares:
            self._note(path, {}, fault.kind)
            self._fail(fault)
            return
        try:
            with self.slack.lock:
                status, said, headers = self._answer(path, body)
        except Exception:
            self.slack.broken.append(f"{path}\n{traceback.format_exc()}")
            status, said, headers = 500, b"", {}
        if fault is None:
            self._say(status, said, headers)
        else:
            self._fail(fault)

    def _answer(self, path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        if path.startswith("/services/"):
            return self._hook(path, body)
        if path.startswith("/upload/v1/"):
            file = self.slack.files.get(path.rpartition("/")[2])
            good = file is not None and len(body) == file.length
            if file is not None and good:
                file.content = body
            self._note("upload", {"length": len(body)}, None if good else "size")
            return (200, f"OK - {len(body)}".encode(), {}) if good else (400, b"wrong size", {})
        method = path.removeprefix("/api/")
        values = self._values(body)
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ") or values.get("token")
        if method == "chat.postMessage" and self.slack.paced(str(values.get("channel"))):
            self._note(method, values, "ratelimited")
            said = json.dumps({"ok": False, "error": "ratelimited"}).encode()
            return 429, said, {"retry-after": "1", "content-type": "application/json"}
        answer = methods.answer(self.slack, method, values, token)
        self._note(method, values, answer.get("error"))
        headers = {"content-type": "application/json; charset=utf-8"}
        known = self.slack.tokens.get(str(token))
        if known is not None:
            headers["x-oauth-scopes"] = ",".join(sorted(known.scopes))
        return 200, json.dumps(answer).encode(), headers

    def _hook(self, path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        try:
            values = json.loads(body)
        except ValueError:
            values = None
        if self.slack.paced(path):
            return 429, b"rate_limited", {"retry-after": "1", "content-type": "text/plain"}
        status, said = methods.hook(self.slack, path, values)
        self._note("webhook", values if isinstance(values, dict) else {}, None if status == 200 else said)
        return status, said.encode(), {"content-type": "text/plain; charset=utf-8"}

    def _values(self, body: bytes) -> dict[str, Any]:
        kind = self.headers.get("content-type") or ""
        if kind.startswith("application/json"):
            return dict(json.loads(body or b"{}"))
        if kind.startswith("multipart/"):
            head = f"content-type: {kind}\r\n\r\n".encode()
            parts = BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
            return {
                str(part.get_param("name", header="content-disposition")): part.get_content()
                for part in parts
            }
        return {name: each[0] for name, each in parse_qs(body.decode(), keep_blank_values=True).items()}

    def _note(self, method: str, values: dict[str, Any], error: str | None) -> None:
        self.slack.calls.append(Call(method.removeprefix("/api/"), values, error, time.time()))

    def _say(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(data)), "connection": "close"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    def _fail(self, fault: Fault) -> None:
        """End the call as `fault` says."""
        if fault.kind in ("before", "bad_gateway"):
            self._say(502, b"<html>bad gateway</html>", {"content-type": "text/html"})
        elif fault.kind in ("down", "late"):
            self._say(503, b"<html>unavailable</html>", {"content-type": "text/html"})
        elif fault.kind == "forbidden":
            said = json.dumps({"ok": False, "error": "ratelimited"}).encode()
            headers = {"retry-after": str(fault.retry_after), "content-type": "application/json"}
            self._say(429, said, headers)
        elif fault.kind == "reset":  # closing with this option set sends RST
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            if fault.kind == "silence":
                time.sleep(SILENCE)
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that went away are no matter."""


@contextlib.contextmanager
def serve() -> Iterator[Slack]:
    """Serve a new Slack on a free port. Raises `AssertionError` at the end where the server itself broke."""
    handler = type("BoundHandler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    slack = Slack(url=f"http://127.0.0.1:{server.server_address[1]}")
    handler.slack = slack  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield slack
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5.0)
    assert not slack.broken, "\n".join(slack.broken)
