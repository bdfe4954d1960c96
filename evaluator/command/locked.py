"""What of a repository is locked for a command: the files that measure, and `data`, which produce never sees."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import UserError
from evaluator.job import Job

_NOT_MEASURING = {".git", "__pycache__"}


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
    """Return a hash of what measures: produce, command, repeats, and all files of the repository that they or
    `data` name, themselves or by their folder, and that experiments may not edit."""
    chosen = job.settings
    digest = hashlib.sha256(json.dumps([chosen.produce, chosen.command, chosen.repeats]).encode())
    for word in (*chosen.produce, *chosen.command, *chosen.data):
        for path in () if word.startswith("-") else _locked_files(job, _place(job, word)):
            name = os.fsencode(path.relative_to(job.repo))
            digest.update(name + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _locked_files(job: Job, place: Path) -> Iterator[Path]:
    if not place.is_relative_to(job.repo):
        return
    for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
        within = path.relative_to(job.repo)
        editable = within.as_posix() in job.settings.editable or _NOT_MEASURING.intersection(within.parts)
        if path.is_file() and not editable:
            yield path


def _within(job: Job, place: Path) -> Path:
    return place.relative_to(job.repo) if place.is_relative_to(job.repo) else place


def _place(job: Job, word: str) -> Path:
    return Path(os.path.normpath(job.repo / Path(word).expanduser()))
