"""Words written by others, cleaned at the border and made harmless for the place where they are shown."""

from __future__ import annotations

import re
from typing import NewType

# Cleaning is the border that text of others crosses once, before anything measures, cuts, fences or redacts it: what
# is taken away afterwards would bring together what was measured apart. `evaluator.log.clean` does the same.
_NEWLINES = re.compile(r"\r\n?")
# Terminal sequences: CSI, OSC (ended by BEL or ST on its line), and two-byte escapes (ECMA-48).
_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]?|\x9b[0-?]*[@-~]"
)
_ESCAPES = re.compile("[\x1b\x9b]")
# What some readers take for the end of a line and others don't (`str.splitlines`; Unicode 16, section 5.8).
_SEPARATORS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# Controls other than tab and newline; what is no character in XML 1.0, section 2.2; and what has no shape of its own:
# the format characters (Cf: direction marks and overrides, CVE-2021-42574, tags, soft hyphens) and the others that
# Unicode calls ignorable by default (variation selectors, fillers).
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt
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
# Most words are plain: they are found out by one look, and nothing else is looked for in them.
_NOT_PLAIN = re.compile("[^\t\n -~]")
_JOINER = "\u200d"
# What GitHub acts on wherever it reads it, also where no Markdown is: mentions, references to issues
# (https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls),
# addresses (https://github.github.com/gfm/#autolinks-extension-), and commits that ask for no workflow run
# (https://docs.github.com/en/actions/managing-workflow-runs/skipping-workflow-runs). An underscore or a digit
# before an address does not keep it from being linked, so these look at no word boundary. Each is looked for only if
# the character is there that it can't do without.
_ACTED_ON = (
    ("@", re.compile(r"@(?=\w)"), f"@{_JOINER}"),
    ("#", re.compile(r"#(?=\d)"), f"#{_JOINER}"),
    ("-", re.compile(r"(?i)(?<![a-z0-9])(gh)-(?=\d)"), rf"\1{_JOINER}-"),
    (":", re.compile(r":(?=//)"), f"{_JOINER}:"),
    (":", re.compile(r"(?i)(mailto|xmpp):"), rf"\1{_JOINER}:"),
    (".", re.compile(r"(?i)(www)\."), rf"\1{_JOINER}."),
    ("[", re.compile(r"(?i)\[(?=(?:skip ci|ci skip|no ci|skip actions|actions skip)\])"), f"[{_JOINER}"),
)


Clean = NewType("Clean", str)
"""Text that was cleaned. What measures, fences or redacts takes this, so that cleaning can't come after it."""


def clean(text: str) -> Clean:
    """Return `text` without terminal sequences, control characters and what has no shape.

    Tabs and newlines stay. Whatever else could end a line is a space, so that lines are the same for every reader.
    Cleaning twice changes nothing.
    """
    if not _NOT_PLAIN.search(text):
        return Clean(text)
    text = _ANSI.sub("", _NEWLINES.sub("\n", text))
    return Clean(_LOOSE_JOINERS.sub("", _UNSEEN.sub("", _SEPARATORS.sub(" ", text))))


def one_line(text: str, limit: int | None = None) -> str:
    """Return `text` cleaned and on one line, cut with an ellipsis after `limit` characters."""
    line = " ".join(clean(text).split())
    if limit is not None and len(line) > limit:
        return line[: limit - 1].rstrip() + "…"
    return line


def clean_diff(diff: str) -> Clean:
    """Return a diff cleaned, line by line: nothing within one of git's lines begins another or hides the rest."""
    shown = (clean(_ESCAPES.sub("\u241b", line)).replace("\n", " ") for line in diff.split("\n"))
    return Clean("\n".join(shown))


def fenced(text: Clean, language: str, longest: int | None = None) -> list[str]:
    """Return a block of Markdown as lines, its fence longer than any within it.

    A line of more than `longest` characters is cut. One that begins with a fence of its own is indented by a space:
    not every reader of Markdown counts backticks.
    """
    ticks = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, ticks + 1)
    lines = (f" {line}" if line.startswith("```") else line for line in text.split("\n"))
    cut = (line if longest is None or len(line) <= longest else line[: longest - 1] + "…" for line in lines)
    return [f"{fence}{language}", *cut, fence]


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
