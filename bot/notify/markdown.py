"""Messages as Markdown: on the terminal, and in a file of the clone. What stands in where there is no Slack."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from bot.errors import UserError
from bot.notify.message import Line, Message, Words
from bot.text import markdown_text, web_address

_MARK = "<!-- nocturne {key} -->"
_LONGEST = 1000  # characters of one piece of text


def markdown(message: Message, *, chart: str | None = None) -> str:
    """Return the message as a Markdown page; `chart` is the picture's path, where it lies beside the page."""
    parts = [f"# {markdown_text(message.title)}", f"**{markdown_text(message.summary)}**"]
    if message.facts:
        names, values = zip(*message.facts, strict=True)
        parts.append(
            "\n".join(
                f"| {' | '.join(cells)} |"
                for cells in (
                    [markdown_text(name) for name in names],
                    ["---"] * len(names),
                    [markdown_text(value) for value in values],
                )
            )
        )
    if chart is not None:
        parts.append(f"![{markdown_text(message.chart or 'chart')}]({chart})")
    for part in message.parts:
        parts.append(f"## {markdown_text(part.heading)}")
        parts.append("\n".join(f"- {_line(line)}" for line in part.lines))
    if message.foot:
        parts.append(f"<sub>{markdown_text(message.foot)}</sub>")
    return "\n\n".join(parts) + "\n"


def _line(line: Line) -> str:
    return "".join(_words(words) for words in line)


def _words(words: Words) -> str:
    lead, tail = words.text[:1].isspace() * " ", words.text[-1:].isspace() * " "
    said = markdown_text(words.text, _LONGEST)
    url = web_address(words.url)
    if url:
        said = f"[{said}]({url})"
    return f"{lead}**{said}**{tail}" if words.bold and said else f"{lead}{said}{tail}"


class MarkdownNotifier:
    """Keeps each message as a file in `folder`, with its chart beside it."""

    has_threads = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.channel = "file"

    def post(self, message: Message, *, thread: str | None = None) -> str | None:
        """Write the message into a file of its own, a reply at the end of what it answers; return the file's name."""
        name = thread or f"{re.sub(r'[^A-Za-z0-9.-]', '-', message.key)}.md"
        path, mark = self._folder / name, _MARK.format(key=message.key)
        text = f"{mark}\n{markdown(message)}"
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
        text = f"{_MARK.format(key=message.key)}\n{markdown(message, chart=picture)}"
        self._write(self._folder / ts, text.encode())
        return picture

    def _write(self, path: Path, content: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise UserError(f"{path}: can't write ({error.strerror}): mend the folder's rights") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
