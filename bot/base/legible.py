"""Text without what can't be seen, or is read differently by different readers; as `evaluator.log.legible` does."""

from __future__ import annotations

import re
from typing import NewType

_NEWLINES = re.compile(r"\r\n?")
# Terminal sequences: CSI, OSC (ended by BEL or ST on its line), and two-byte escapes (ECMA-48).
_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]?|\x9b[0-?]*[@-~]"
)
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

Clean = NewType("Clean", str)
"""Text that was cleaned. What measures, fences or redacts takes this, so that cleaning can't come after it."""


def legible(text: str) -> Clean:
    """Return `text` without terminal sequences, control characters and what has no shape.

    Tabs and newlines stay. Whatever else could end a line is a space, so that lines are the same for every reader.
    """
    if not _NOT_PLAIN.search(text):
        return Clean(text)
    text = _ANSI.sub("", _NEWLINES.sub("\n", text))
    return Clean(_LOOSE_JOINERS.sub("", _UNSEEN.sub("", _SEPARATORS.sub(" ", text))))
