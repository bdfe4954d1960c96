"""What a candidate prints: kept in full up to a cap, with a tail, the traceback and the progress for others.

It is text by a stranger: control characters go, lengths are bounded, and nothing is kept that was printed
after the candidate had seen validation tokens.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Protocol

from evaluator.progress import Progress

FILE_CAP = 20 * 2**20  # bytes
TAIL_CHARACTERS = 4000
_KEPT_LINES = 400
_LONGEST_LINE = 2000

# `legible` is the one cleaning for text by others, the same as `bot.base.legible`: the reasons stand there. Its
# first step is all that a terminal needs.
_NEWLINES = re.compile(r"\r\n?")
_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]?|\x9b[0-?]*[@-~]"
)
_SEPARATORS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160"
    "\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# The joiners shape scripts and emoji: one stays between two characters beyond Latin-1, and nowhere else.
_LOOSE_JOINERS = re.compile(
    "[\u200c\u200d]{2,}|(?<![^\\x00-\\xff])[\u200c\u200d]|[\u200c\u200d](?![^\\x00-\\xff])"
)


def clean(text: str) -> str:
    """Return `text` without terminal escapes, reordering marks and controls other than newline and tab.

    Whatever else could end a line is a space.
    """
    return _CONTROLS.sub("", _SEPARATORS.sub(" ", _ANSI.sub("", _NEWLINES.sub("\n", text))))


def legible(text: str) -> str:
    """Return `text` cleaned, and without what has no shape: what is measured or looked for in it is what is seen."""
    return _LOOSE_JOINERS.sub("", _UNSEEN.sub("", clean(text)))


class Listener(Protocol):
    """Who hears all that is printed, such as `evaluator.command.metrics.Reader`."""

    def add(self, data: bytes) -> None: ...


class Log:
    """Takes bytes as they come; `closed` is set once nothing more may be kept.

    `lines` are the last of them, cleaned. `listener`, if there is one, is told every byte.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.progress = Progress()
        self.closed = False
        self.listener: Listener | None = None
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._file: BinaryIO | None = path.open("wb") if path else None
        self._written = 0
        self._rest = b""

    def add(self, data: bytes) -> None:
        """Keep `data`, or drop it if the log is closed."""
        if self.closed:
            return
        self._write(data)
        if self.listener is not None:
            self.listener.add(data)
        *whole, self._rest = re.split(rb"[\r\n]", self._rest + data)
        for line in whole:
            self._line(line)
        if len(self._rest) > 1 << 16:
            self._line(self._rest)
            self._rest = b""

    def quote(self, title: str, lines: Iterable[str]) -> None:
        """Keep lines that nobody listens to and no progress is read from, below a heading."""
        for line in (f"[nocturne] {title}", *lines):
            text = legible(line[:_LONGEST_LINE])
            self._write(f"{text}\n".encode())
            self.lines.append(text)

    def close(self, note: str = "") -> None:
        """Keep nothing more; `note` is our own last word in the file."""
        if self.closed:
            return
        if self._rest:
            self._line(self._rest)
            self._rest = b""
        self.closed = True
        if self._file is not None:
            if note:
                self._file.write(f"\n[nocturne] {note}\n".encode())
            self._file.close()

    def tail(self) -> str:
        """Return the last lines, at most `TAIL_CHARACTERS`."""
        return "\n".join([*self.lines, legible(self._rest.decode(errors="replace"))]).strip()[
            -TAIL_CHARACTERS:
        ]

    def _line(self, raw: bytes) -> None:
        text = legible(raw[:_LONGEST_LINE].decode(errors="replace"))
        if not text.strip():
            return
        self.lines.append(text)
        self.progress.read(text)

    def _write(self, data: bytes) -> None:
        if self._file is None or self._written >= FILE_CAP:
            return
        self._file.write(data[: FILE_CAP - self._written])
        self._written += len(data)
        if self._written >= FILE_CAP:
            self._file.write(b"\n[nocturne] the log is cut here: it grew too long\n")
