"""The folders of a jail that has no file system of its own: plain ones, where they are seen."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from evaluator.jail.file_system import FileSystem
from evaluator.jail.mounts import is_taken


def lay_out(file_system: FileSystem) -> None:
    """Make the scratch and the working folder. What is placed in the working folder is a link there."""
    file_system.scratch.mkdir(parents=True, exist_ok=True)
    for name, to in file_system.links:
        _link(file_system.scratch / name, to)
    if file_system.tree is None:
        return
    place = file_system.tree.place
    for source in reversed(file_system.tree.sources):  # what the first of them holds is to stay
        shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
    for source, target in file_system.placed:
        inside = source.exists() and target.is_relative_to(place)
        if inside and not is_taken(str(target.relative_to(place)), file_system.tree.sources):
            _link(target, source)


def put_away(folders: Iterable[Path]) -> None:
    """Move folders to where nobody without privileges finds a name of what they hold; who holds one open keeps it.

    What a jail leaves would speak to the next one by its names alone, which Landlock does not hide.
    """
    for folder in folders:
        away = folder.with_name(f".{folder.name}-away")
        with contextlib.suppress(FileNotFoundError):
            away.mkdir(mode=0o700, exist_ok=True)
            folder.rename(away / folder.name)
            away.chmod(0)


def _link(place: Path, to: Path) -> None:
    """Make a link, if the working folder has nothing at that place."""
    with contextlib.suppress(FileExistsError, NotADirectoryError):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(os.path.abspath(to))  # noqa: PTH100  (Path.resolve would follow links)
