"""One page by HTTP, for reading only, as `nocturne report --serve` shows a campaign while it goes.

A page of somebody else in the same browser must not read it by a name of its own that leads here (DNS rebinding), so
on a loopback address only loopback names are answered.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

from bot import __version__
from bot.errors import UserError

Render = Callable[[], tuple[str, str]]
"""Returns the version of what there is, which changes with the campaign, and the page."""


def address_of(text: str) -> tuple[str, int]:
    """Return host and port of `PORT` or `HOST:PORT`. Raises ValueError, which says what is wrong."""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or not 0 <= int(port) < 65536:
        raise ValueError(f"{text!r} is no address: write PORT, or HOST:PORT such as 127.0.0.1:8765")
    return host.strip("[]") or "127.0.0.1", int(port)


def server(host: str, port: int, render: Render) -> HTTPServer:
    """Return the server, bound and not serving yet. Raises UserError if the address can't be had."""
    local = _is_loopback(host)

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version, protocol_version = f"nocturne/{__version__}", "", "HTTP/1.1"
        timeout = 10

        def do_GET(self) -> None:
            name = self.headers.get("Host", "").rpartition(":")[0].strip("[]") or self.headers.get("Host", "")
            if local and not _is_loopback(name):
                return self._send(403, "text/plain", "only by a loopback name\n")
            if self.path not in ("/", "/version"):
                return self._send(404, "text/plain", "there is only /\n")
            version, page = render()
            if self.path == "/version":
                return self._send(200, "text/plain", version)
            return self._send(200, "text/html", page)

        do_HEAD = do_GET

        def _send(self, code: int, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(code)
            for key, value in (
                ("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
                ("Content-Security-Policy", "frame-ancestors 'none'"), ("Connection", "close"),
            ):  # fmt: skip
                self.send_header(key, value)
            self.end_headers()
            self.close_connection = True
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing of each look."""

    try:
        return HTTPServer((host, port), Handler)
    except OSError as error:
        raise UserError(f"--serve {host}:{port}: {error.strerror or error}: name another port") from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
