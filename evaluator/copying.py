"""Copies a repository's files, the nearest first, and says what is too much to be copied and lies beside the copy."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from evaluator import untracked
from evaluator.errors import UserError

PREFIX = "nocturne-run-"  # of the folders that hold copies
# Caches, environments, and our own copies, if the temporary folder is inside the repository.
_NOT_COPIED = (".git", "__pycache__", ".venv", "venv", "node_modules", ".mypy_cache")
_MANY_LARGE = 40  # large files of one folder: more than so many mounts would take their time

Kind = Literal["large", "ignored", "data"]


@dataclass(frozen=True)
class Beside:
    """What belongs to the tree at the relative path `place`, is too much to be copied, and lies at `source`.

    `large` is a part of the tree itself; `ignored` lies in the user's repository, unknown to git; `data` is what
    the settings name so, which only the locked side may read.
    """

    place: Path
    source: Path
    kind: Kind


@dataclass
class Copying:
    """Copies folders from `top` to `target`, the nearest files first; what is too much stays `beside`.

    At most `bytes` in `files` names, and no file of more than `largest`, or than `large` but for weights.
    """

    top: Path
    target: Path
    kind: Kind
    bytes: int
    files: int
    largest: int
    large: int
    leave: set[Path] = field(default_factory=set)
    unfit: Callable[[Path], bool] = lambda place: False
    beside: list[Beside] = field(default_factory=list)
    hidden: list[Path] = field(default_factory=list)

    def carry_out(self, places: Sequence[Path]) -> None:
        level = [each for each in places if not self._left_out(each)]
        while level:
            below: list[Path] = []
            for place in level:
                at = self.top / place
                if at.is_dir() and not at.is_symlink():
                    below += self._open(place)
                else:
                    self._take(place)
            level = below

    def _left_out(self, place: Path) -> bool:
        return place in self.leave or (place != Path() and self.unfit(place))

    def _open(self, place: Path) -> list[Path]:
        """Make a folder; return what it holds. One that holds too much is shown as it is."""
        try:
            with os.scandir(self.top / place) as entries:
                sizes = {each.name: _size(each) for each in entries}
        except PermissionError as error:
            if self.kind == "ignored":
                return []
            raise UserError(f"{self.top / place}: can't be read: {error.strerror}") from None
        small = sum(size for name, size in sizes.items() if size <= self._most(name))
        large = sum(size > self._most(name) for name, size in sizes.items())
        if place != Path() and (len(sizes) > self.files or small > self.bytes or large > _MANY_LARGE):
            self._show(place)
            return []
        (self.target / place).mkdir(parents=True, exist_ok=True)
        self.files -= len(sizes)
        names = sorted(name for name in sizes if name not in _NOT_COPIED and not name.startswith(PREFIX))
        return [place / name for name in names if not self._left_out(place / name)]

    def _most(self, name: str) -> int:
        return self.largest if untracked.is_weights(Path(name)) else min(self.large, self.largest)

    def _take(self, place: Path) -> None:
        at, target = self.top / place, self.target / place
        if at.is_symlink():
            self._follow(place)
            return
        if not at.is_file():
            return  # a socket, a pipe: no part of a tree
        size = at.stat().st_size
        if size > min(self._most(at.name), self.bytes):
            # What writes there again must be able to.
            if not (self.kind == "ignored" and untracked.is_output(place)):
                self._show(place)
            return
        self.bytes -= size
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.kind == "ignored":
            with contextlib.suppress(OSError):
                os.link(at, target)
                return
        try:
            shutil.copy2(at, target)
        except OSError as error:
            if self.kind != "ignored":
                raise UserError(f"{at}: can't be copied: {error.strerror}") from None

    def _follow(self, place: Path) -> None:
        """A link of the tree stays what it is. One that git does not know leads to where the user keeps data."""
        at, target = self.top / place, self.target / place
        real = Path(os.path.realpath(at))
        if self.kind != "ignored" or real.is_relative_to(self.top):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(at.readlink())
        elif real.exists() and not _holds_too_much(real) and not untracked.is_unfit(real):
            self._show(place)

    def _show(self, place: Path) -> None:
        at = self.top / place
        self.beside.append(Beside(place, at, self.kind))
        if self.kind == "ignored" and at.is_dir():
            self.hidden += untracked.unfit_below(at.resolve())


def _size(entry: os.DirEntry[str]) -> int:
    with contextlib.suppress(OSError):
        return entry.stat().st_size if entry.is_file(follow_symlinks=False) else 0
    return 0


def _holds_too_much(real: Path) -> bool:
    """Whether a folder holds the home folder or the whole machine: nothing that anybody meant to show."""
    return Path.home().resolve().is_relative_to(real)
