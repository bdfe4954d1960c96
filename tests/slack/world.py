"""What a Slack holds: tokens with scopes, channels with messages, files, webhooks."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from tests.github.faults import Faults

SCOPES = frozenset({"chat:write", "files:write", "channels:history"})


@dataclass
class Token:
    scopes: frozenset[str] = SCOPES
    error: str | None = None  # such as token_revoked: what every call says then


@dataclass
class Posted:
    """A message as it stands in a channel now."""

    ts: str
    text: str
    blocks: list[Any]
    thread: str | None
    metadata: dict[str, Any] | None
    by: str
    edits: int = 0
    files: list[str] = field(default_factory=list)


@dataclass
class Channel:
    messages: list[Posted] = field(default_factory=list)
    archived: bool = False
    member: bool = True
    private: bool = False


@dataclass
class File:
    name: str
    length: int
    title: str = ""
    alt: str = ""
    content: bytes | None = None
    complete: bool = False
    looks: int = 0  # how often it was asked for since it is complete


@dataclass(frozen=True)
class Call:
    """One request: the method, what was sent, and what Slack said."""

    method: str
    values: dict[str, Any]
    error: str | None
    at: float


@dataclass
class Slack:
    """The whole workspace. `calls` keeps what came."""

    url: str = ""
    tokens: dict[str, Token] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    hooks: dict[str, str] = field(default_factory=dict)  # path, channel
    hook_error: str | None = None
    calls: list[Call] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    broken: list[str] = field(default_factory=list)
    processing: int = 0  # so many times a new file can't be shown yet
    strict_pace: bool = False  # one message a second and channel
    update_error: str | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _paces: dict[str, float] = field(default_factory=dict)

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    def token(self, name: str = "xoxb-1-test", *, scopes: frozenset[str] = SCOPES) -> str:
        self.tokens[name] = Token(scopes)
        return name

    def channel(self, name: str = "C0123456789") -> Channel:
        return self.channels.setdefault(name, Channel())

    def hook(self, channel: str = "C0123456789") -> str:
        """Return the URL of a new incoming webhook."""
        self.channel(channel)
        path = f"/services/T00000000/B00000000/{'x' * 20}{next(self._numbers):04d}"
        self.hooks[path] = channel
        return f"{self.url}{path}"

    def number(self) -> int:
        return next(self._numbers)

    def stamp(self) -> str:
        """Return a new timestamp, later than all others."""
        return f"{int(time.time())}.{next(self._numbers):06d}"

    def paced(self, channel: str) -> bool:
        """Whether a message comes too soon after the last one in this channel."""
        now = time.monotonic()
        soon = self.strict_pace and now - self._paces.get(channel, -9.0) < 1.0
        if not soon:
            self._paces[channel] = now
        return soon

    def made(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]
