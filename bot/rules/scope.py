"""Scope: what an experiment may change, told from the raw differences of two trees.

A change is within scope if it gives an editable file another content, and nothing else. The incumbent's
files are locked, and so are modes, links, submodules, and whatever git itself obeys.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

MAX_REASONS = 8
SHOWN_CHARACTERS = 80
REGULAR_MODES = ("100644", "100755")
_NO_FILE = "000000"
_KINDS = {"120000": "a symlink", "160000": "a submodule"}
_OBEYED = (".gitattributes", ".gitmodules")


@dataclass(frozen=True)
class FileChange:
    """One file that differs between two trees, as git's raw diff has it.

    Modes are git's (`100644`; `000000` if there is no file); `status` is A added, D deleted, M modified
    or T another type. Bytes of `path` that are not UTF-8 are surrogates.
    """

    path: str
    status: str
    old_mode: str
    new_mode: str
    old_sha: str
    new_sha: str


def violations(changes: Sequence[FileChange], editable: Collection[str]) -> tuple[str, ...]:
    """Return why `changes` go beyond the contents of the `editable` files; nothing if they don't.

    A reason is one short line of ASCII, whatever the paths hold. After `MAX_REASONS` the rest is counted.
    """
    reasons = [said for change in changes if (said := _objection(change, editable))]
    more = len(reasons) - MAX_REASONS
    return (*reasons[:MAX_REASONS], *([f"and {more:,} more"] if more > 0 else []))


def shown(path: str) -> str:
    """Return a path for people: what is not plain ASCII is escaped, so that look-alikes stand out."""
    text = ascii(path)[1:-1]
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def _objection(change: FileChange, editable: Collection[str]) -> str:
    trick = _trick(change.path, editable)
    if change.path in editable and not trick:
        return _objection_to_editable(change)
    if change.status == "D":
        what = "deleted"
    elif change.new_mode in _KINDS:
        what = _KINDS[change.new_mode]
    elif change.status == "A":
        what = "added"
    else:
        what = "" if change.old_mode == change.new_mode else "another mode"
    details = ", ".join(detail for detail in (what, trick) if detail)
    return f"{shown(change.path)} is locked" + (f" ({details})" if details else "")


def _objection_to_editable(change: FileChange) -> str:
    name = shown(change.path)
    if change.status == "D":
        return f"{name} must not be deleted"
    if change.new_mode in _KINDS:
        return f"{name} must not become {_KINDS[change.new_mode]}"
    if change.new_mode not in REGULAR_MODES:
        return f"{name} must not become a file of mode {change.new_mode}"
    before = REGULAR_MODES[0] if change.old_mode == _NO_FILE else change.old_mode
    if change.new_mode != before:
        return f"{name} must keep the mode {before}, not {change.new_mode}"
    return ""


def _trick(path: str, editable: Collection[str]) -> str:
    """Say what is odd about a path, if it is made to be taken for another or steers more than itself."""
    parts = path.split("/")
    plain = [_plain(part) for part in parts]
    if any(part == ".git" or re.fullmatch(r"git~\d+", part) for part in plain):
        return "looks like git's own folder"
    if plain[0] == ".github":
        return "steers the bot and its workflows"
    if plain[-1] in _OBEYED:
        return "git obeys it"
    if any(part in ("", ".", "..") for part in parts):
        return "not a plain path"
    if not path.isprintable():
        return "holds characters that do not show"
    if any(part != part.strip(" ").rstrip(".") for part in parts):
        return "spaces or dots around a name"
    if path not in editable:
        like = next((known for known in editable if [_plain(p) for p in known.split("/")] == plain), None)
        return f"looks like {shown(like)}" if like is not None else ""
    return ""


def _plain(part: str) -> str:
    """Return what some file systems and most eyes take a name for.

    Windows drops trailing dots and spaces, macOS ignores characters that don't show, both ignore case
    (the names of CVE-2014-9390).
    """
    visible = "".join(c for c in unicodedata.normalize("NFKC", part) if c.isprintable())
    return visible.casefold().strip(" ").rstrip(" .")
