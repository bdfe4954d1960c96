"""Failures on demand: which call is to fail, and how."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Fault:
    """How a call fails.

    - `before`: 502, and nothing happened;
    - `after`: all of it happened, then the connection closes without an answer;
    - `bad_gateway`, `late`: all of it happened, and the answer is a 502, or a 503, all the same;
    - `forbidden(retry_after=1)`: 403 of the secondary limit, and nothing happened;
    - `reset`: the connection is reset, and nothing happened.
    """

    kind: str
    retry_after: int = 1

    before: ClassVar[Fault]
    after: ClassVar[Fault]
    bad_gateway: ClassVar[Fault]
    reset: ClassVar[Fault]

    @staticmethod
    def forbidden(retry_after: int = 1) -> Fault:
        return Fault("forbidden", retry_after)

    @property
    def spares(self) -> bool:
        """Whether the call takes effect although its answer is lost."""
        return self.kind in ("after", "bad_gateway", "late")


Fault.before = Fault("before")
Fault.after = Fault("after")
Fault.bad_gateway = Fault("bad_gateway")
Fault.reset = Fault("reset")


@dataclass
class _Match:
    method: str | None
    path: re.Pattern[str]
    fault: Fault
    skip: int


@dataclass(frozen=True)
class Fired:
    """A fault that came to pass."""

    method: str
    path: str
    fault: Fault


class Faults:
    """The faults to come; each fires once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._matches: list[_Match] = []
        self._places: dict[int, Fault] = {}
        self.count = 0  # calls so far, REST and git together
        self.fired: list[Fired] = []

    def next(
        self, method: str | None = None, path: str = "", fault: Fault = Fault.before, skip: int = 0
    ) -> None:
        """Let the next call fail whose method is `method` and in whose path `path` (a pattern) is found.

        The path is as after the host, without query: for REST without the API's prefix. `skip` calls that
        match are let through before.
        """
        with self._lock:
            self._matches.append(_Match(method, re.compile(path), fault, skip))

    def at(self, index: int, fault: Fault) -> None:
        """Let the `index`-th call from now fail, REST and git counted together; 0 is the next one."""
        with self._lock:
            self._places[self.count + index] = fault

    def clear(self) -> None:
        """Forget the faults that have not fired."""
        with self._lock:
            self._matches.clear()
            self._places.clear()

    @property
    def pending(self) -> int:
        """How many have not fired."""
        with self._lock:
            return len(self._matches) + len(self._places)

    def meet(self, method: str, path: str) -> tuple[Fault | None, int]:
        """Count one call; return the fault that it meets and its place. The server asks, once for each."""
        with self._lock:
            index = self.count
            fault = self._places.pop(index, None)
            self.count += 1
            for match in self._matches:
                if fault is not None:
                    break
                if match.method in (None, method) and match.path.search(path):
                    if match.skip == 0:
                        fault = match.fault
                        self._matches.remove(match)
                        break
                    match.skip -= 1
            if fault is not None:
                self.fired.append(Fired(method, path, fault))
            return fault, index
