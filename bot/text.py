"""Words written by agents, made harmless for the place where they are shown."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from rich.text import Text

# Terminal sequences: CSI, OSC (ended by BEL or ST), and two-byte escapes (ECMA-48).
_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|\x9b[0-?]*[@-~]"
)
# Controls other than tab and newline, text direction marks and overrides (CVE-2021-42574), what has no shape and
# could hide words from a human (tag characters, zero-width spaces; not the joiners, which scripts and emoji need),
# and what is no character in XML 1.0, section 2.2.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]"
)
# What means something inside a line, and what does only where a line begins.
_MARKDOWN = re.compile(r"[\\`*_\[\]#|~]|^[-+=]|(?<=^\d)[.)]")
_NUMBERED = re.compile(r"^(\d{2,9})([.)])")  # would begin a list
_JOINER = "\u200d"
# What GitHub acts on wherever it reads it, also where no Markdown is: mentions, references to issues
# (https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls),
# addresses (https://github.github.com/gfm/#autolinks-extension-), and commits that ask for no workflow run
# (https://docs.github.com/en/actions/managing-workflow-runs/skipping-workflow-runs). An underscore or a digit
# before an address does not keep it from being linked, so these look at no word boundary.
_ACTED_ON = (
    (re.compile(r"@(?=\w)"), f"@{_JOINER}"),
    (re.compile(r"#(?=\d)"), f"#{_JOINER}"),
    (re.compile(r"(?i)(?<![a-z0-9])(gh)-(?=\d)"), rf"\1{_JOINER}-"),
    (re.compile(r":(?=//)"), f"{_JOINER}:"),
    (re.compile(r"(?i)(mailto|xmpp):"), rf"\1{_JOINER}:"),
    (re.compile(r"(?i)(www)\."), rf"\1{_JOINER}."),
    (re.compile(r"(?i)\[(?=(?:skip ci|ci skip|no ci|skip actions|actions skip)\])"), f"[{_JOINER}"),
)


def clean(text: str) -> str:
    """Return `text` without terminal sequences, control characters and direction overrides.

    Tabs and newlines stay.
    """
    return _UNSAFE.sub("", _ANSI.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def one_line(text: str, limit: int | None = None) -> str:
    """Return `text` cleaned and on one line, cut with an ellipsis after `limit` characters."""
    line = " ".join(clean(text).split())
    if limit is not None and len(line) > limit:
        return line[: limit - 1].rstrip() + "…"
    return line


def disarmed(text: str) -> str:
    """Return `text` cleaned, on its lines, with what GitHub would act on broken by a zero-width joiner.

    For places that are not read as Markdown: titles and commit messages.
    """
    text = clean(text)
    for pattern, broken in _ACTED_ON:
        text = pattern.sub(broken, text)
    return text


def html_text(text: str) -> str:
    """Return `text` for an HTML or SVG text node or a quoted attribute."""
    return html.escape(clean(text), quote=True)


svg_text = html_text


def markdown_text(text: str, limit: int | None = None) -> str:
    """Return `text` as one line of GitHub Markdown that shows what was written and does nothing.

    It is safe in a table cell. Mentions, references to issues and addresses are broken by a zero-width
    joiner; a dollar sign is wrapped as GitHub asks, so that it opens no formula
    (https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/writing-mathematical-expressions).
    """
    line = disarmed(one_line(text, limit))
    line = re.sub(r"#(?=\w)", f"#{_JOINER}", line)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _NUMBERED.sub(r"\1\\\2", _MARKDOWN.sub(r"\\\g<0>", line))
    return line.replace("$", "<span>$</span>")


def terminal_text(text: str, style: str = "", limit: int | None = None) -> Text:
    """Return `text` as one line for a terminal; brackets are no markup in it."""
    return Text(one_line(text, limit), style=style)


def json_for_script(data: Any) -> str:
    """Return `data` as JSON that can stand inside a `<script>` element, whatever its strings hold."""
    compact = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return compact.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def web_address(url: str | None) -> str | None:
    """Return `url` where it is a plain web address, None otherwise (`javascript:`, a local path)."""
    if url and re.fullmatch(r"https?://[^\s<>\"'`|()\\\[\]]+", url):
        return url
    return None
