"""Words written by others, cleaned at the border and made harmless for the place where they are shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bot.base.legible import Clean as Clean
from bot.base.legible import legible
from bot.base.redact import known

_ESCAPES = re.compile("[\x1b\x9b]")
_JOINER = "\u200d"
_TOO_MANY_TICKS = re.compile("`{100,}")  # it counts a fence's up to 255: more would close any
_MANY_TICKS = re.compile("`{9,}")  # cmark-gfm knows no code between more than 80
_PLAIN = re.compile(r"(?!_|.*www\.)[\w .,;:'()-]*(?<!_)", re.IGNORECASE)
# What GitHub acts on wherever it reads it, also where no Markdown is: mentions, references to issues
# (https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls),
# addresses (https://github.github.com/gfm/#autolinks-extension-), and commits that ask for no workflow run
# (https://docs.github.com/en/actions/managing-workflow-runs/skipping-workflow-runs). An underscore or a digit
# before an address does not keep it from being linked, so these look at no word boundary. Each is looked for only if
# the character is there that it can't do without.
_ACTED_ON = (
    ("@", re.compile(r"@(?=[\w.+-])"), f"@{_JOINER}"),
    ("#", re.compile(r"#(?=\d)"), f"#{_JOINER}"),
    ("-", re.compile(r"(?i)(?<![a-z0-9])(gh)-(?=\d)"), rf"\1{_JOINER}-"),
    (":", re.compile(r":(?=//)"), f"{_JOINER}:"),
    (":", re.compile(r"(?i)(mailto|xmpp):"), rf"\1{_JOINER}:"),
    (".", re.compile(r"(?i)(www)\."), rf"\1{_JOINER}."),
    ("[", re.compile(r"(?i)\[(?=(?:skip ci|ci skip|no ci|skip actions|actions skip)\])"), f"[{_JOINER}"),
)


def clean(text: str) -> Clean:
    """Return `text` legible (`bot.base.legible`), and with a word instead of each credential.

    Cleaning is the border that text of others crosses once, before anything measures, cuts, fences or quotes it: what
    is taken away afterwards would bring together what was measured apart, and what is cut before hides half a
    credential from us alone. Cleaning twice changes nothing.
    """
    return known().hide(legible(text))


def one_line(text: str, limit: int | None = None) -> str:
    """Return `text` cleaned and on one line, cut with an ellipsis after `limit` characters."""
    line = " ".join(clean(text).split())
    if limit is not None and len(line) > limit:
        return line[: limit - 1].rstrip() + "…"
    return line


def clean_data(data: Any) -> Any:
    """Return JSON with all of its strings cleaned, names included."""
    if isinstance(data, str):
        return clean(data)
    if isinstance(data, Mapping):
        return {
            clean(name) if isinstance(name, str) else name: clean_data(each) for name, each in data.items()
        }
    return [clean_data(each) for each in data] if isinstance(data, (list, tuple)) else data


def clean_diff(diff: str) -> Clean:
    """Return a diff cleaned, line by line: nothing within one of git's lines begins another or hides the rest."""
    shown = (legible(_ESCAPES.sub("\u241b", line)).replace("\n", " ") for line in diff.split("\n"))
    return known().hide(Clean("\n".join(shown)))


def fenced(text: Clean, language: str, longest: int | None = None) -> list[str]:
    """Return a block of Markdown as lines, its fence longer than any within it.

    A line of more than `longest` characters is cut. One that begins with a fence of its own is indented by a space:
    not every reader of Markdown counts backticks.
    """
    text = Clean(_TOO_MANY_TICKS.sub(f"{'`' * 99}…", text))
    fence = _longer_than_any(text).rjust(3, "`")
    lines = (f" {line}" if line.startswith("```") else line for line in text.split("\n"))
    cut = (line if longest is None or len(line) <= longest else line[: longest - 1] + "…" for line in lines)
    return [f"{fence}{language}", *cut, fence]


def literal(text: Clean) -> str:
    """Return one line within Markdown: as it is if it is plain words, else as code that nothing within it ends."""
    if _PLAIN.fullmatch(text):
        return text
    text = Clean(_MANY_TICKS.sub("````…", text))
    fence = _longer_than_any(text)
    return f"{fence} {' '.join(text.split())} {fence}"


def _longer_than_any(text: str) -> str:
    """Return one backtick more than stand together anywhere in `text`."""
    return "`" * (1 + max((len(run) for run in re.findall(r"`+", text)), default=0))


def disarmed(text: str) -> str:
    """Return `text` cleaned, on its lines, with what GitHub would act on broken by a zero-width joiner.

    For places that are not read as Markdown: titles and commit messages. This comes last: cleaning would take the
    joiners away again.
    """
    said: str = clean(text)
    for needed, pattern, broken in _ACTED_ON:
        if needed in said:
            said = pattern.sub(broken, said)
    return said


def web_address(url: str | None) -> str | None:
    """Return `url` if it is a plain web address, None otherwise (`javascript:`, a local path)."""
    if url and re.fullmatch(r"https?://[^\s<>\"'`|()\\\[\]]+", url):
        return url
    return None
