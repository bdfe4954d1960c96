"""Messages as Markdown in files of the clone: what stands in if nobody else can be told."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from bot.errors import UserError
from bot.notify.notifier import Notifier
from bot.tell.document import Message
from bot.tell.writers import markdown

_MARK = "<!-- nocturne {key} -->"


class FileNotifier(Notifier):
    """Keeps each message as a file in `folder`, with its chart beside it."""

    has_threads = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.channel = "file"

    def post(self, message: Message, *, thread: str | None = None) -> str | None:
        """Write the message into a file of its own, a reply at the end of what it answers; return the file's name."""
        name = thread or f"{re.sub(r'[^A-Za-z0-9.-]', '-', message.key)}.md"
        path, mark = self._folder / name, _MARK.format(key=message.key)
        text = f"{mark}\n{markdown.write(message.document())}"
        before = _read(path)
        if thread is None:
            before = ""
        elif mark in before:
            return name
        self._write(path, f"{before}\n{text}".lstrip().encode())
        return name

    def find(self, message: str, *, since: datetime, thread: str | None = None) -> str | None:
        """Return the file that holds the message."""
        mark = _MARK.format(key=message)
        paths = sorted(self._folder.glob("*.md"))
        return next((path.name for path in paths if mark in _read(path)), None)

    def show_chart(self, ts: str, message: Message, png: bytes) -> str | None:
        """Put the picture beside the message, and into it."""
        picture = Path(ts).with_suffix(".png").name
        self._write(self._folder / picture, png)
        text = f"{_MARK.format(key=message.key)}\n{markdown.write(message.document(picture))}"
        self._write(self._folder / ts, text.encode())
        return picture

    def _write(self, path: Path, content: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise UserError(f"{path}: can't write ({error.strerror}): fix the folder's rights") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
