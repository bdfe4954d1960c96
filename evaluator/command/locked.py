"""What of a repository is locked for a command: the files that measure, and `data`, which produce never sees."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import UserError
from evaluator.job import Job

_NOT_MEASURING = {".git", "__pycache__", ".venv", "venv", "node_modules"}
_FOR_PEOPLE = {".md", ".rst", ".adoc"}
_ABOUT = ("license", "licence", "copying", "notice", "authors", "readme", "changelog")
_SETTINGS = {".gitignore", ".gitattributes", ".gitmodules", ".editorconfig", ".pre-commit-config.yaml"}
_PIECE = 1 << 20


@dataclass(frozen=True)
class HeldBack:
    """What `data` names: `named` in the order of the settings, relative to the repository where it lies there.

    `inside` and `outside` are all paths that it goes by, those behind symbolic links too.
    """

    named: tuple[Path, ...]
    inside: frozenset[Path]
    outside: tuple[Path, ...]


def held_back(job: Job) -> HeldBack:
    """Return what produce must not see.

    Raises `UserError` for a path that is not there: a wrong name would leave answers in sight.
    """
    named: list[Path] = []
    seen: set[Path] = set()
    for word in job.settings.data:
        place = _place(job, word)
        if not place.exists():
            raise UserError(f"data: {word}: no such file or folder in {job.repo}")
        for each in (place, place.resolve()):
            if job.repo.is_relative_to(each):
                raise UserError(f"data: {word}: holds the whole repository; name what produce must not see")
            seen.add(_within(job, each))
        named.append(_within(job, place))
    return HeldBack(
        tuple(named),
        frozenset(each for each in seen if not each.is_absolute()),
        tuple(sorted(each for each in seen if each.is_absolute())),
    )


def copy_without(tree: Path, copy: Path, missing: frozenset[Path]) -> None:
    """Copy `tree` to the new folder `copy`, without the paths `missing` (relative to it)."""

    def left_out(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(folder, name).relative_to(tree) in missing]

    shutil.copytree(tree, copy, symlinks=True, ignore=left_out)


def fingerprint(job: Job) -> str:
    """Return a hash of what measures: produce, command, repeats, and the locked files of the repository.

    What the command imports, and what `sh`, `make` or `python -m` find, can't be told from its words. So all files
    count but those that experiments may edit and those that measure nothing: texts for people, settings of editors
    and services, caches, environments, and what git ignores. What the command or `data` name counts in any case.
    """
    chosen = job.settings
    digest = hashlib.sha256(json.dumps([chosen.produce, chosen.command, chosen.repeats]).encode())
    found = {path for path in _tracked(job.repo) if _measures(path.relative_to(job.repo))}
    for word in (*chosen.produce, *chosen.command, *chosen.data):
        if not word.startswith("-"):
            found.update(_named_files(job, _place(job, word)))
    for path in sorted(found):
        within = path.relative_to(job.repo)
        is_file = path.is_symlink() or path.is_file()
        if (
            is_file
            and within.as_posix() not in chosen.editable
            and not _NOT_MEASURING.intersection(within.parts)
        ):
            digest.update(os.fsencode(within) + b"\0" + _content(path))
    return digest.hexdigest()


def _tracked(repo: Path) -> Iterator[Path]:
    """Yield the files of a checkout that git tracks, or all files of a tree that is no checkout."""
    if (repo / ".git").exists():
        words = ["git", "-C", str(repo), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(words, capture_output=True, check=False)
        if listed.returncode == 0:
            yield from (repo / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name)
            return
    for folder, names, files in os.walk(repo):
        names[:] = [name for name in names if name not in _NOT_MEASURING]
        yield from (Path(folder, name) for name in files)
        yield from (path for name in names if (path := Path(folder, name)).is_symlink())


def _measures(within: Path) -> bool:
    """Return whether a file of the repository, by its path in it, can have a part in a score."""
    hidden = any(part.startswith(".") for part in within.parts[:-1])
    name = within.name.lower()
    about = name.startswith(_ABOUT) and within.suffix.lower() in ("", ".txt")
    return not (hidden or name in _SETTINGS or about or within.suffix.lower() in _FOR_PEOPLE)


def _content(path: Path) -> bytes:
    """Return a digest of a file, or of where a link leads; a fixed word for what can't be read."""
    digest = hashlib.sha256()
    try:
        if path.is_symlink():
            digest.update(b"link " + os.fsencode(path.readlink()))
        if path.is_file():
            with path.open("rb") as file:
                while piece := file.read(_PIECE):
                    digest.update(piece)
    except OSError:
        digest.update(b"unreadable")
    return digest.digest()


def _named_files(job: Job, place: Path) -> Iterator[Path]:
    """Yield the files that a word of the settings names, itself or by its folder."""
    if place.is_relative_to(job.repo) and os.path.lexists(place):
        for path in place.rglob("*") if place.is_dir() else [place]:
            if path.is_file():
                yield path


def _within(job: Job, place: Path) -> Path:
    return place.relative_to(job.repo) if place.is_relative_to(job.repo) else place


def _place(job: Job, word: str) -> Path:
    return Path(os.path.normpath(job.repo / Path(word).expanduser()))
