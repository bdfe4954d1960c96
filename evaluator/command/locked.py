"""What of a repository is locked for a command: the files that measure, and `data`, which produce never sees."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import UserError
from evaluator.job import Job
from evaluator.workspace import expanded, places_of

_NOT_MEASURING = {".git", "__pycache__", ".venv", "venv", "node_modules"}
_FOR_PEOPLE = {".md", ".rst", ".adoc"}
_ABOUT = ("license", "licence", "copying", "notice", "authors", "readme", "changelog")
_SETTINGS = {".gitignore", ".gitattributes", ".gitmodules", ".editorconfig", ".pre-commit-config.yaml"}
_PIECE, _SCRIPT = 1 << 20, 1 << 20
SHARE = "NOCTURNE_BUDGET_SHARE"
"""The variable that tells a command which part of its work to do."""


@dataclass(frozen=True)
class HeldBack:
    """What `data` names: `named` in the order of the settings, relative to the repository if it lies there.

    `outside` are all paths outside of it that it goes by, those behind symbolic links too.
    """

    named: tuple[Path, ...]
    outside: tuple[Path, ...]


def held_back(job: Job) -> HeldBack:
    """Return what produce must not see.

    Raises `UserError` for a path that is not there: a wrong name would leave answers in sight.
    """
    source = job.source
    named: list[Path] = []
    outside: set[Path] = set()
    for word in job.settings.data:
        found = next(((place, at) for place, at in places_of(word, source) if at.exists()), None)
        if found is None:
            raise UserError(f"data: {word}: no such file or folder in {source.repository}")
        place, at = found
        for each in (Path(os.path.abspath(at)), at.resolve()):  # noqa: PTH100  (links stay as they are)
            if any(top.is_relative_to(each) for top in (source.repo, source.repository)):
                raise UserError(f"data: {word}: holds the whole repository; name what produce must not see")
            if not any(each.is_relative_to(top) for top in (source.repo, source.repository)):
                outside.add(each)
        named.append(place)
    return HeldBack(tuple(named), tuple(sorted(outside)))


def fingerprint(job: Job) -> str:
    """Return a hash of what measures: produce, command, repeats, and the locked files of the repository.

    What the command imports, and what `sh`, `make` or `python -m` find, can't be told from its words. So all files
    count but those that experiments may edit and those that measure nothing: texts for people, settings of editors
    and services, caches, environments, and what git ignores. What the command or `data` name counts in any case.
    """
    chosen = job.settings
    counted: list[object] = [chosen.produce, chosen.command, chosen.repeats]
    if chosen.call:
        counted += [chosen.call, sorted(chosen.reference.items())]
    digest = hashlib.sha256(json.dumps(counted).encode())
    for path in _locked(job):
        digest.update(os.fsencode(path.relative_to(job.repo)) + b"\0" + _content(path))
    if job.share != 1:  # a part of the work is another scale
        digest.update(f"{SHARE} {job.share!r}".encode())
    return digest.hexdigest()


def reads_share(job: Job) -> bool:
    """Return whether a word of the command, or a locked file, mentions the variable `SHARE`."""
    if any(SHARE in word for word in (*job.settings.produce, *job.settings.command)):
        return True
    return any(_mentions(path, SHARE.encode()) for path in _locked(job))


def _locked(job: Job) -> list[Path]:
    """Return the files of the repository that count (see `fingerprint`), in order."""
    chosen = job.settings
    found = {path for path in _tracked(job.repo) if _measures(path.relative_to(job.repo))}
    for word in (*chosen.produce, *chosen.command, *chosen.data):
        if not word.startswith("-"):
            found.update(_named_files(job, _place(job, word)))
    return [path for path in sorted(found) if _counts(path, job)]


def _counts(path: Path, job: Job) -> bool:
    within = path.relative_to(job.repo)
    is_file = path.is_symlink() or path.is_file()
    editable = within.as_posix() in job.settings.editable
    return is_file and not editable and not _NOT_MEASURING.intersection(within.parts)


def _mentions(path: Path, word: bytes) -> bool:
    """Return whether a file of a usual size holds `word`; data and weights are no scripts."""
    try:
        return path.is_file() and path.stat().st_size <= _SCRIPT and word in path.read_bytes()
    except OSError:
        return False


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


def _place(job: Job, word: str) -> Path:
    """Return where a word would lie in the tree, if it is a path of the user's repository."""
    place = Path(os.path.normpath(job.source.repository / expanded(word)))
    if place.is_relative_to(job.source.repository):
        return job.repo / place.relative_to(job.source.repository)
    return place
