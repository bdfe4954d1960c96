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
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import yaml

from bot.base.text import clean, one_line
from bot.errors import UserError

FOLDER = ".nocturne/skills"
MOST_FILES = 32
MOST_BYTES = 16_000  # of one skill
MOST_BYTES_TOGETHER = 64_000
_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_KEYS = ("title", "when")
_CONDITIONS = ("categories", "files")


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
    if not text.startswith("---"):
        return Skill(name, name, clean(text).strip())
    found = _FRONT.match(text)
    if found is None:
        raise UserError(f"{path}: front matter begins with --- and never ends: add a line --- below it")
    front = _front_matter(path, found[1])
    title = front.get("title", name)
    if not isinstance(title, str) or not title.strip():
        raise UserError(f"{path}: front matter: title: expected text, not {title!r}")
    conditions = _conditions(path, front.get("when", "always"))
    return Skill(name, one_line(title, 120), clean(text[found.end() :]).strip(), **conditions)


def _front_matter(path: str, source: str) -> dict[str, object]:
    try:
        front = yaml.safe_load(source)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 2}: " if mark else ""
        what = getattr(error, "problem", None) or error
        raise UserError(f"{path}: front matter: {where}not valid YAML: {what}") from None
    if front is None:
        return {}
    if not isinstance(front, dict):
        raise UserError(f"{path}: front matter: expected `key: value` lines, not {front!r}")
    for key in front:
        if key not in _KEYS:
            raise UserError(f"{path}: front matter: unknown key {key!r}, known keys: {', '.join(_KEYS)}")
    return {str(key): value for key, value in front.items()}


def _conditions(path: str, when: object) -> dict[str, tuple[str, ...]]:
    if when == "always":
        return {}
    if not isinstance(when, dict) or not when:
        raise UserError(
            f"{path}: front matter: when: expected `always`, or `categories:` and `files:` with lists, not {when!r}"
        )
    conditions: dict[str, tuple[str, ...]] = {}
    for key, value in when.items():
        if key not in _CONDITIONS:
            known = ", ".join(_CONDITIONS)
            raise UserError(f"{path}: front matter: when: unknown key {key!r}, known keys: {known}")
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise UserError(f"{path}: front matter: when.{key}: expected a list of texts, not {value!r}")
        conditions[key] = tuple(value)
    return conditions
