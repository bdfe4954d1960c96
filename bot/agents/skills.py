"""Skills: what a human wrote down once about a project, for every agent to read.

A skill is a file `.nocturne/skills/NAME.md`. It may begin with front matter that says when it applies:

    ---
    title: How the data loader behaves
    when: always              # or: {categories: [optimization], files: ["train.py"]}
    ---

Without front matter it applies always. Skills are read from a commit, never from the working tree.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from bot.base.text import clean, one_line
from bot.config import Section, front_matter
from bot.errors import UserError

FOLDER = ".nocturne/skills"
MOST_FILES = 32
MOST_BYTES = 16_000  # of one skill
MOST_BYTES_TOGETHER = 64_000


class _When(Section):
    categories: Annotated[list[str], Field(min_length=1)] | None = None
    files: Annotated[list[str], Field(min_length=1)] | None = None


class _Head(Section):
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] | None = None
    when: _When = _When()

    @field_validator("when", mode="before")
    @classmethod
    def _always(cls, when: object) -> object:
        if when != "always" and not isinstance(when, Mapping):
            raise ValueError("expected `always`, or `categories:` and `files:` with lists")
        return {} if when == "always" else when


@dataclass(frozen=True)
class Skill:
    """One skill. `categories` and `files` (globs) say when it applies; both empty: always."""

    name: str
    title: str
    text: str
    categories: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def applies(self, *, category: str | None, editable: Sequence[str]) -> bool:
        """Say whether it applies to a change of `category` (None: not known yet) in the `editable` files."""
        if self.files and not any(fnmatch.fnmatch(path, glob) for path in editable for glob in self.files):
            return False
        return not self.categories or category in self.categories


def skill_paths(paths: Iterable[str]) -> list[str]:
    """Return which of a commit's paths are skills, sorted."""
    return sorted(
        path
        for path in paths
        if path.startswith(f"{FOLDER}/") and path.endswith(".md") and path.count("/") == 2
    )


def read_skills(files: Mapping[str, bytes]) -> tuple[Skill, ...]:
    """Return the skills that `files` (path -> content) hold, sorted by path.

    Raises UserError with the file and the fix for front matter that says nothing known, and for too much.
    """
    if len(files) > MOST_FILES:
        raise UserError(f"{FOLDER}: {len(files)} skills, {MOST_FILES} are read: join some of them")
    together = sum(map(len, files.values()))
    if together > MOST_BYTES_TOGETHER:
        raise UserError(
            f"{FOLDER}: {together:,} bytes together, {MOST_BYTES_TOGETHER:,} are allowed: shorten them, every"
            " experiment pays for them"
        )
    return tuple(_skill(path, files[path]) for path in sorted(files))


def _skill(path: str, content: bytes) -> Skill:
    if len(content) > MOST_BYTES:
        raise UserError(f"{path}: {len(content):,} bytes, {MOST_BYTES:,} are allowed: shorten or split it")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text: save it as UTF-8 and commit it") from None
    name = path.rpartition("/")[2].removesuffix(".md")
    head, body = front_matter(_Head, text, path)
    title = name if head.title is None else one_line(head.title, 120)
    conditions = (tuple(each or ()) for each in (head.when.categories, head.when.files))
    return Skill(name, title, clean(body).strip(), *conditions)
