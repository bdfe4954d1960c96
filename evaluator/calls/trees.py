"""What each side of a wall finds in its working folder: the locked script nothing that experiments may change, the
candidate nothing that measures, the reference the files of the reference."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from evaluator.settings import Settings
from evaluator.workspace import Workspace, expanded

LOCKED, CANDIDATE, REFERENCE = "locked", "candidate", "reference"
_MEASURES = re.compile(rb"^[ \t]*(?:from|import)[ \t]+nocturne_candidate\b", re.MULTILINE)
_LONGEST = 1 << 20  # bytes of a script


def without(space: Workspace, name: str, left_out: Iterable[str]) -> Workspace:
    """Return `space` with a tree of its own, in which the files `left_out` are missing."""
    tree = space.base / f"tree-{name}"
    if not tree.exists():
        shutil.copytree(space.tree, tree, symlinks=True, copy_function=_link)
        for path in left_out:
            _remove(tree / path)
    return dataclasses.replace(space, tree=tree)


def of_locked(space: Workspace, settings: Settings) -> Workspace:
    """Return what the locked script finds: whatever it imports, it reaches no file that experiments may change."""
    return without(space, LOCKED, settings.editable)


def of_called(space: Workspace, settings: Settings, which: str) -> Workspace:
    """Return what a called file finds: not the script that measures, whose words and figures are none of its business;
    as `which` says its own text, or that of the reference."""
    made = without(space, which, _scripts(space, settings))
    if which == REFERENCE:
        _replace(made.tree, settings.reference)
    return made


def _scripts(space: Workspace, settings: Settings) -> Iterator[str]:
    """Yield the files of the tree that measure: what the words of the command name, and what imports our library."""
    free = (*settings.call, *settings.editable)
    for path in space.tree.rglob("*.py"):
        name = path.relative_to(space.tree).as_posix()
        script = name not in free and path.is_file() and path.stat().st_size <= _LONGEST
        if script and _MEASURES.search(path.read_bytes()):
            yield name
    for word in settings.command:
        if word.startswith("-") or "\0" in word:
            continue
        place = Path(os.path.normpath(space.repository / expanded(word)))
        if not place.is_relative_to(space.repository):
            continue
        within = place.relative_to(space.repository)
        for each in (within, within.with_name(f"{within.name}.py")):  # python -m bench
            name = each.as_posix()
            if within.name and name not in free and (space.tree / each).is_file():
                yield name


def _replace(tree: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        _remove(tree / name)
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text, encoding="utf-8", newline="")


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()


def _link(source: str, target: str) -> None:
    """Give a file a second name: nobody writes to either, jails begin with copies."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target)
