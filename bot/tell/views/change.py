"""What a change changes: its diff if that is short, else which files, how many lines, which constants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from bot.rules.experiment import Experiment
from bot.tell.document import Code, Document, Part, bullets, code, paragraph, say, table
from bot.tell.numbers import count

_FILES = 10
_CONSTANTS = 12
_DIFF_LINES = 60  # of a diff that is shown whole; a longer one is read where it can be commented on
_DIFF_CHARACTERS = 8_000
_AROUND = 1  # unchanged lines that are shown before and after a change
_HUNK = re.compile(r"-(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


@dataclass(frozen=True)
class FileLines:
    """A changed file and how many lines were added and removed."""

    path: str
    added: int
    removed: int


def change(experiment: Experiment, diff: str) -> Document:
    """Return what changes; `diff` is the unified diff from the incumbent. A long one is told, not shown."""
    assert experiment.proposal is not None
    short = shortened(diff)
    if short and short.count("\n") < _DIFF_LINES and len(short) <= _DIFF_CHARACTERS:
        return (Code(short, "diff"),)
    files = files_of(diff)
    lines = [say("{}: {}", code(each.path), _size(each)) for each in files[:_FILES]]
    if len(files) > _FILES:
        lines.append(say("and {}", count(len(files) - _FILES, "more file")))
    return (
        *(bullets(lines) or (paragraph("No file changes."),)),
        *_constants(experiment.proposal.changes),
    )


def shortened(diff: str) -> str:
    """Return a unified diff, as git writes it, with one unchanged line around each change and its file named once: at
    the head of each hunk, or above what git says of a file without any."""
    lines: list[str] = []
    for part in f"\n{diff.rstrip()}".split("\ndiff --git ")[1:]:
        head, *hunks = part.split("\n@@ ")
        path = _path(head)
        for hunk in hunks:
            lines += _closer(hunk.split("\n"), path)
        if not hunks:
            lines += [path, *(line for line in head.split("\n")[1:] if not line.startswith("index "))]
    return "\n".join(lines)


def _closer(hunk: list[str], path: str) -> Iterator[str]:
    at = _HUNK.match(hunk[0])
    old, new = (int(at[1]), int(at[2])) if at else (1, 1)
    lines = hunk[1:]
    changed = {place for place, line in enumerate(lines) if line[:1] in ("+", "-", "\\")}
    near = {place + step for place in changed for step in range(-_AROUND, _AROUND + 1)}
    for shown, group in groupby(enumerate(lines), lambda each: each[0] in near):
        part = [line for _, line in group]
        before, after = (sum(line[:1] not in (sign, "\\") for line in part) for sign in "+-")
        if shown:
            yield f"@@ -{old},{before} +{new},{after} @@ {path}"
            yield from part
        old, new = old + before, new + after


def files_of(diff: str) -> list[FileLines]:
    """Return the files of a unified diff as git writes it, with their added and removed lines."""
    found: list[FileLines] = []
    for part in f"\n{diff}".split("\ndiff --git ")[1:]:
        head, at, hunks = part.partition("\n@@")
        body = hunks.split("\n") if at else []
        added, removed = (sum(line.startswith(sign) for line in body) for sign in "+-")
        found.append(FileLines(_path(head), added, removed))
    return found


def _path(head: str) -> str:
    """Return the path of a file from what stands above its hunks."""
    first, *lines = head.split("\n")
    return next((name for line in lines if (name := _name(line))), None) or first.rpartition(" b/")[2]


def _name(line: str) -> str | None:
    """Return the path that a line of a file's head names; git puts unusual ones in quotes."""
    for mark in ("--- a/", '--- "a/', "+++ b/", '+++ "b/'):
        if line.startswith(mark):
            return line[len(mark) :].removesuffix("\t").removesuffix('"')
    return None


def _size(file: FileLines) -> str:
    if not file.added and not file.removed:
        return "no line of text"
    return f"{count(file.added, 'line')} added, {file.removed:,} removed"


def _constants(changes: tuple[dict[str, str], ...]) -> Document:
    if not changes:
        return ()
    several = len({change.get("file") for change in changes}) > 1
    rows: list[tuple[Part, Part, Part]] = []
    for each in changes[:_CONSTANTS]:
        name, file, old, new = (code(each.get(key, ""), 80) for key in ("name", "file", "old", "new"))
        rows.append((say("{} in {}", name, file) if several else name, old, new))
    if len(changes) > _CONSTANTS:
        rows.append((f"and {count(len(changes) - _CONSTANTS, 'more constant')}", "", ""))
    return (table(("constant", "from", "to"), rows),)
