"""The task file of a rubric: Markdown with the task, a list of criteria, and a few settings on top.

---
rounds: 6
passing: 8
---
# A page that explains the tokenizer to a newcomer
What is wanted, for whom, what to leave out.

## Criteria
- Correct: every statement holds for the code as it is.
- Short: at most 600 words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from bot.config import Section, front_matter
from bot.errors import UserError

MAX_CRITERIA = 20
MAX_BYTES = 200_000
_HEADING = re.compile(r"(?im)^##[ \t]+criteria[ \t]*#*[ \t]*$")
_NEXT_HEADING = re.compile(r"(?m)^#{1,2}[ \t]")
_ITEM = re.compile(r"(?m)^[-*][ \t]+(.+(?:\n(?![-*][ \t]|\s*\n).+)*)")


class TaskModels(Section):
    """Which models do it; null takes the campaigns' defaults of maker and checker."""

    writer: str | None = None
    """Plans and writes."""
    grader: str | None = None
    """Grades."""


class Settings(Section):
    """What the head of the file may say."""

    rounds: Annotated[int, Field(ge=1, le=50)] = 6
    """Most versions that are written."""
    passing: Annotated[int, Field(ge=1, le=10)] = 8
    """The grade that every criterion needs."""
    usd: Annotated[float, Field(gt=0)] | None = 5.0
    """Most money for all rounds together; null is no limit."""
    models: TaskModels = TaskModels()
    """Who thinks."""


@dataclass(frozen=True)
class Criterion:
    """One thing that is graded, 1 to 10."""

    name: str
    text: str


@dataclass(frozen=True)
class Task:
    """What is to be done, and by what it is graded."""

    text: str
    criteria: tuple[Criterion, ...]
    settings: Settings


def read_task(path: Path) -> Task:
    """Return the task that the file at `path` holds. Raises `UserError` that names the fix."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror}): name a Markdown file") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"{path}: has {len(content):,} bytes, at most {MAX_BYTES:,} are read: shorten it")
    try:
        return parse_task(content.decode().replace("\r\n", "\n"), source=str(path))
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text: save it as UTF-8") from None


def parse_task(text: str, *, source: str) -> Task:
    """Return the task that `text` describes; see `read_task`."""
    settings, text = front_matter(Settings, text, source)
    heading = _HEADING.search(text)
    if heading is None:
        raise UserError(
            f"{source}: has no `## Criteria`: add that heading and a list below it, one `- name: text` each"
        )
    end = _NEXT_HEADING.search(text, heading.end())
    listed = text[heading.end() : end.start() if end else len(text)]
    wanted = (text[: heading.start()] + (text[end.start() :] if end else "")).strip()
    criteria = [_criterion(" ".join(item.split())) for item in _ITEM.findall(listed)]
    names = [criterion.name.lower() for criterion in criteria]
    twice = next((name for name in names if names.count(name) > 1), None)
    if not criteria or len(criteria) > MAX_CRITERIA:
        raise UserError(
            f"{source}: `## Criteria` lists {len(criteria)}: list 1 to {MAX_CRITERIA} with `- name: text`"
        )
    if twice is not None:
        raise UserError(f"{source}: the criterion {twice!r} is there twice: give each its own name")
    if not wanted:
        raise UserError(f"{source}: says nothing but criteria: write above them what is to be done")
    return Task(wanted, tuple(criteria), settings)


def _criterion(item: str) -> Criterion:
    """`**Name**: text` or `Name: text`; if there is no name, the first words are it."""
    name, colon, text = item.partition(":")
    name = name.replace("*", "").strip()
    if colon and name and text.strip(" *") and len(name) <= 60:
        return Criterion(name, text.strip(" *"))
    return Criterion(" ".join(item.replace("*", "").split()[:6])[:60], item)
