"""A draft on its way to a proposal: edits applied exactly or refused with the exact reason, and a check by rule."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.agents.review import review
from bot.agents.sources import tree_of

_SHOWN = 160
_ALIKE = 0.6  # similarity of lines that are worth pointing at


@dataclass(frozen=True)
class Edit:
    """One replacement: `old` occurs exactly once in the file and gives way to `new`; empty: `new` is the file."""

    path: str
    old: str
    new: str


class DraftRefused(ValueError):
    """An edit that does not apply, or a result that does not parse; the message says exactly why."""


def apply_edits(files: Mapping[str, str], edits: Sequence[Edit]) -> dict[str, str]:
    """Return the complete new content of every file that `edits` change, applied one after the other.

    Raises DraftRefused with the edit's number, what is wrong with it, and where it nearly fits.
    """
    if not edits:
        raise DraftRefused("there are no edits: say at least one")
    after = dict(files)
    for number, edit in enumerate(edits, 1):
        after[edit.path] = _apply(after, edit, f"edit {number} of {len(edits)}")
    changed = {path: text for path, text in after.items() if files[path] != text}
    if not changed:
        raise DraftRefused("the edits change nothing: old and new text are the same")
    for path in sorted(changed):
        if path.endswith(".py"):
            _require_python(path, changed[path])
    return changed


def objections(files: Mapping[str, str], proposed: Mapping[str, str], tried: Mapping[str, int]) -> list[str]:
    """Return what the rule-based review would object to; `tried` maps fingerprints to experiments."""
    outcome = review(editable=sorted(files), base=files, proposed=proposed, tried=tried)
    return list(outcome.reasons)


def _apply(files: Mapping[str, str], edit: Edit, which: str) -> str:
    if edit.path not in files:
        raise DraftRefused(
            f"{which}: {_cut(edit.path)} is not an editable file; editable: {', '.join(sorted(files))}"
        )
    text = files[edit.path]
    if not edit.old:
        return edit.new
    places = _occurrences(text, edit.old)
    if len(places) == 1:
        return text[: places[0]] + edit.new + text[places[0] + len(edit.old) :]
    if places:
        lines = ", ".join(str(text.count("\n", 0, place) + 1) for place in places[:6])
        raise DraftRefused(
            f"{which}: the old text occurs {len(places)} times in {edit.path} (lines {lines}): add lines around"
            " it until it occurs once"
        )
    raise DraftRefused(f"{which}: the old text does not occur in {edit.path}; {_nearest(text, edit.old)}")


def _occurrences(text: str, part: str) -> list[int]:
    places, start = [], text.find(part)
    while start >= 0:
        places.append(start)
        start = text.find(part, start + 1)
    return places


def _nearest(text: str, old: str) -> str:
    """Say which line looks most like the first line that was looked for, and how it really reads."""
    wanted = next((line for line in old.splitlines() if line.strip()), "")
    lines = text.splitlines()
    close = difflib.get_close_matches(wanted, lines, n=1, cutoff=_ALIKE)
    if not close:
        return "no line looks like it: read the file again, whitespace counts"
    return f"line {lines.index(close[0]) + 1} is most like it and reads {_cut(close[0])!r}: whitespace counts"


def _require_python(path: str, text: str) -> None:
    try:
        ast.parse(text.removeprefix("\ufeff"))
    except SyntaxError as error:
        line = (error.text or "").rstrip("\n")
        shown = f" ({_cut(line)!r})" if line else ""
        raise DraftRefused(f"{path} does not parse: line {error.lineno}{shown}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        pass  # why, and whatever else nobody can read, is said below
    tree, why = tree_of(text)
    if tree is None:
        raise DraftRefused(f"{path} does not parse: {why}")


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
