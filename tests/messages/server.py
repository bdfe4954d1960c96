"""Starts the Messages API on loopback.

with serve(mind) as api:
    ...  # ANTHROPIC_BASE_URL=api.url, ANTHROPIC_API_KEY=api.key
    api.calls[0].request, api.seen(), api.clock.advance(300)

A request is read and checked (`check_request` and what it calls), billed by the prefix `cache`, put to the mind
(`minds`), and its answer goes out whole or as a `stream`.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from tests.messages import stream
from tests.messages.answer import Message, message
from tests.messages.cache import Cache, Clock, Used
from tests.messages.check_request import NEW, OLD, Prompt, check_request
from tests.messages.minds import Answer, Fault, Mind, words
from tests.messages.refusal import Refusal, bad

MOST_BYTES = 32 << 20
KEY = "sk-ant-api03-loopback-0123456789abcdef"
_LONGEST_SILENCE = 30.0
_PAGE = b"<html><body><h1>It works!</h1></body></html>"


@dataclass
class Call:
    """A request as it came, and what became of it."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    request: dict[str, Any] = field(default_factory=dict)
    status: int = 0
    refused: str = ""
    fault: Fault | None = None
    used: Used | None = None
    answer: dict[str, Any] | None = None

    @property
    def counting(self) -> bool:
        return self.path.endswith("/count_tokens")


class Api:
    """One account's interface: its keys, its mind, its cache, and everything that came."""

    def __init__(self, mind: Mind, url: str) -> None:
        self.mind = mind
        self.url = url
        self.key = KEY
        self.keys = {KEY}
        self.forbidden: set[str] = set()
        """Models that the key may not use."""
        self.clock = Clock()
        self.cache = Cache(self.clock)
        self.calls: list[Call] = []
        self.broken: list[str] = []
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.asked = 0

    @property
    def environ(self) -> dict[str, str]:
        """The variables by which a client finds this server."""
        return {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": self.key}

    @property
    def made(self) -> list[Call]:
        """The calls of a model that were answered whole."""
        return [call for call in self.calls if call.answer is not None]

    @property
    def refusals(self) -> list[str]:
        """What was refused for itself, and not because a mind had it fail."""
        return [call.refused for call in self.calls if call.refused and call.fault is None]

    def seen(self) -> str:
        """Return all that was ever sent here, besides the headers that carry the key."""
        parts = []
        for call in self.calls:
            told = {k: v for k, v in call.headers.items() if k.lower() not in ("x-api-key", "authorization")}
            parts += [call.path, json.dumps(told), call.body.decode(errors="replace")]
            parts.append(json.dumps(call.request, ensure_ascii=False))
        return "\n".join(parts)


class Handler(BaseHTTPRequestHandler):
    """Answers POST /v1/messages and POST /v1/messages/count_tokens."""

    api: ClassVar[Api]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30
    server_version = "cloudflare"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: `calls` keeps what came."""

    def do_GET(self) -> None:
        self._refuse(Refusal(404, "Not found"))

    def do_POST(self) -> None:
        call = Call(self.path.partition("?")[0], dict(self.headers.items()), b"")
        try:
            call.body = self._body()
            with self.api.lock:
                self.api.calls.append(call)
            prompt = self._checked(call)
            if call.counting:
                call.status = 200
                self._send(200, {"input_tokens": prompt.tokens})
            else:
                self._answer(call, prompt)
        except Refusal as refusal:
            call.status, call.refused = refusal.status, refusal.message
            self._refuse(refusal)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception:
            self.api.broken.append(f"{call.path}\n{traceback.format_exc()}")
            self._refuse(Refusal(500, "Internal server error"))

    # ---- coming in ----

    def _body(self) -> bytes:
        length = int(self.headers.get("content-length") or 0)
        if length > MOST_BYTES:
            self.close_connection = True
            raise Refusal(413, "Request exceeds the maximum size")
        return self.rfile.read(length)

    def _checked(self, call: Call) -> Prompt:
        """Return what was asked, or refuse it: the key first, then the path, then what it says."""
        self._check_key()
        if call.path not in ("/v1/messages", "/v1/messages/count_tokens"):
            raise Refusal(404, "Not found")
        version = self.headers.get("anthropic-version")
        if version is None:
            raise bad("anthropic-version: header is required")
        if version not in (NEW, OLD):
            raise bad(f"anthropic-version: {version!r} is not a valid version")
        if not (self.headers.get("content-type") or "").startswith("application/json"):
            raise bad("content-type: must be application/json")
        try:
            call.request = json.loads(call.body)
            json.dumps(call.request, ensure_ascii=False).encode()
        except ValueError as error:
            raise bad(f"The request body is not valid JSON: {error}") from None
        prompt = check_request(call.request, version, counting=call.counting)
        if call.request["model"] in self.api.forbidden:
            raise Refusal(403, f"Your API key does not have permission to use {call.request['model']}")
        return prompt

    def _check_key(self) -> None:
        key = self.headers.get("x-api-key")
        if key is None:
            kind, _, key = (self.headers.get("authorization") or "").partition(" ")
            if kind.lower() != "bearer":
                raise Refusal(401, "x-api-key header is required")
        if key not in self.api.keys:
            raise Refusal(401, "invalid x-api-key")

    # ---- going out ----

    def _answer(self, call: Call, prompt: Prompt) -> None:
        with self.api.lock:
            number = self.api.asked
            self.api.asked += 1
            said = self.api.mind(call.request, number)
        said = words(said) if isinstance(said, str) else said
        if isinstance(said, Fault):
            call.fault = said
            if said.answer is None:
                self._fail(said)
                return
        with self.api.lock:
            call.used = self.api.cache.use(prompt.steps, prompt.rules)
        answer = said if isinstance(said, Answer) else said.answer
        assert answer is not None
        made = message(answer, prompt, call.used)
        call.status = 200
        if call.request.get("stream"):
            self._stream(call, made)
        elif call.fault is not None:
            raise AssertionError("this failure happens in streams only")
        else:
            call.answer = made.body
            self._send(200, made.body)

    def _stream(self, call: Call, made: Message) -> None:
        fault = call.fault.kind if call.fault else ""
        parts = list(stream.events(made, broken_json=fault == "tool_json"))
        self.send_response(200)
        for name, value in self._headers({"content-type": "text/event-stream; charset=utf-8"}).items():
            self.send_header(name, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        middle = (
            len(parts) // 2 if fault in ("silence", "drop", "error", "garbage", "unfinished") else len(parts)
        )
        for part in parts[:middle]:
            self._chunk(part)
        if fault == "silence":
            self.api.ended.wait(_LONGEST_SILENCE)
            self.close_connection = True
        elif fault == "drop":
            self._reset()
        else:
            if fault == "error":
                assert call.fault is not None
                told = {"type": call.fault.error_type, "message": call.fault.message}
                self._chunk(stream.event("error", {"error": told}))
            elif fault == "garbage":
                self._chunk(b'event: content_block_delta\ndata: {"type": "content_block_delta", "ind\n\n')
            elif not fault:
                call.answer = made.body
            self.wfile.write(b"0\r\n\r\n")
            self.wfile.flush()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _fail(self, fault: Fault) -> None:
        if fault.kind == "status":
            headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
            details = {"error_code": fault.error_code} if fault.error_code else None
            raise Refusal(fault.status, fault.message, headers, details)
        if fault.kind == "page":
            self._send_bytes(200, _PAGE, {"content-type": "text/html"})
        elif fault.kind == "hang":
            self.api.ended.wait(_LONGEST_SILENCE)
            self.close_connection = True
        elif fault.kind == "reset":
            self._reset()
        else:
            raise AssertionError(f"unknown failure {fault.kind!r}")

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _refuse(self, refusal: Refusal) -> None:
        self._send(refusal.status, refusal.body(self._request_id()), refusal.headers)

    def _send(
        self, status: int, payload: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        self._send_bytes(
            status, json.dumps(payload).encode(), {"content-type": "application/json", **(headers or {})}
        )

    def _send_bytes(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(status)
            for name, value in self._headers(headers).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        return {"request-id": self._request_id(), **more}

    def _request_id(self) -> str:
        return f"req_{len(self.api.calls):024d}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that went away, and loud about everything else."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError | ValueError | OSError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def serve(mind: Mind) -> Iterator[Api]:
    """Serve the interface with `mind` behind all its models, on a free port until the block ends.

    Raises `AssertionError` at the end where the server itself broke, or a mind said what no model can.
    """
    handler = type("BoundHandler", (Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    api = Api(mind, f"http://127.0.0.1:{server.server_address[1]}")
    handler.api = api  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.ended.set()
        server.shutdown()
        server.server_close()
        thread.join(5.0)
    assert not api.broken, "\n".join(api.broken)
