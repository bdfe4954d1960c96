"""The diff in words: which files, how many lines, which constants from what to what."""

from __future__ import annotations

from dataclasses import dataclass

from bot.rules.experiment import Experiment
from bot.tell.document import Code, Document, Part, bullets, code, heading, paragraph, say, table
from bot.tell.numbers import count

_FILES = 10
_CONSTANTS = 12
_DIFF_LINES = 60  # of a diff that is shown whole; a longer one is read where it can be commented on
_DIFF_CHARACTERS = 8_000


@dataclass(frozen=True)
class FileLines:
    """A changed file and how many lines were added and removed."""

    path: str
    added: int
    removed: int


def change(experiment: Experiment, diff: str) -> Document:
    """Return the section on the change; `diff` is the unified diff from the incumbent."""
    assert experiment.proposal is not None
    files = files_of(diff)
    lines = [say("{}: {}", code(each.path), _size(each)) for each in files[:_FILES]]
    if len(files) > _FILES:
        lines.append(say("and {}", count(len(files) - _FILES, "more file")))
    small = files and diff.count("\n") <= _DIFF_LINES and len(diff) <= _DIFF_CHARACTERS
    return (
        heading("What changes"),
        *(bullets(lines) or (paragraph("No file changes."),)),
        *_constants(experiment.proposal.changes),
        *((Code(diff, "diff"),) if small else ()),
    )


def files_of(diff: str) -> list[FileLines]:
    """Return the files of a unified diff as git writes it, with their added and removed lines."""
    found: list[FileLines] = []
    for part in f"\n{diff}".split("\ndiff --git ")[1:]:
        head, at, hunks = part.partition("\n@@")
        path = next((name for line in head.split("\n")[1:] if (name := _name(line))), None)
        body = hunks.split("\n") if at else []
        added, removed = (sum(line.startswith(sign) for line in body) for sign in "+-")
        found.append(FileLines(path or head.split("\n")[0].rpartition(" b/")[2], added, removed))
    return found


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
