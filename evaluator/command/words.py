"""Paths among the words of a command: they mean what they mean to the user, wherever the command runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from evaluator.workspace import Source, expanded

_ASSIGNED = re.compile(r"(-{1,2}[\w.-]+|[A-Za-z_][\w.]*)=(.+)", re.DOTALL)
_LONGEST = 4000  # characters of a path
# What a command writes to must not be shown read-only, where it could write without that.
_WRITTEN = re.compile(
    r"-{1,2}(o|.*(out|output|save|dest|log|dir|write|result|tmp|cache|checkpoint|ckpt).*)", re.I
)
_WRITABLE = (Path("/tmp"), Path("/dev"), Path("/proc"))


def shown(words: Sequence[str], source: Source, held: Sequence[Path]) -> tuple[Path, ...]:
    """Return what lies outside of the repository and is named by `words`: to be shown where it lies. Nothing that
    holds the home folder, the repository or what is `held` back, nor folders that others write to."""
    found: dict[Path, None] = {}
    before, started = "", set(programs(words))
    for word in words:
        option, path = _path(word, source)
        written = _WRITTEN.fullmatch(option or before) is not None
        before = word
        if path is None or path.is_relative_to(source.repository) or path.is_relative_to(source.repo):
            continue
        if word in started and _is_binary(path):
            continue  # it needs more than its own file: `programs` tells
        shared = any(path.is_relative_to(each) for each in _WRITABLE)
        if shared and (written or not path.is_file()):
            continue
        if not any(_overlaps(path, each) for each in held) and not _holds_too_much(path, source):
            found[path] = None
    return tuple(found)


def seen_from(words: Sequence[str], source: Source, place: Path, home: str) -> tuple[str, ...]:
    """Return `words` with the paths that a command finds when it runs in `place`: whole ones for what lies outside
    of the repository, those of the tree under test for what lies in it; `~` is `home` for what is not there yet."""
    return tuple(_translated(word, source, place, home) for word in words)


def _translated(word: str, source: Source, place: Path, home: str) -> str:
    match = _ASSIGNED.fullmatch(word)
    head, value = (word[: match.start(2)], match[2]) if match else ("", word)
    path = _path(word, source)[1]
    if path is None:
        return f"{head}{home}{value[1:]}" if value.startswith("~/") else word
    if path.is_relative_to(source.repository):
        return f"{head}{place / path.relative_to(source.repository)}"
    return f"{head}{path}"


def _path(word: str, source: Source) -> tuple[str, Path | None]:
    """Return the option that a word gives, and the path that it names if there is something: absolute, with its
    links as they are. A name that means the same file in the tree is no path of this kind unless it is a whole one."""
    match = _ASSIGNED.fullmatch(word)
    option, value = (match[1], match[2]) if match else ("", word)
    if (not value.startswith(("/", "~", "../")) and "/../" not in value) or "://" in value:
        return option, None
    if len(value) > _LONGEST or "\0" in value or "\n" in value:
        return option, None
    path = Path(os.path.normpath(source.repository / expanded(value)))
    in_tree = path.is_relative_to(source.repository)
    exists = os.path.lexists(source.repo / path.relative_to(source.repository)) if in_tree else False
    return option, path if exists or os.path.exists(path) else None  # noqa: PTH110  (never raises)


def _overlaps(path: Path, held: Path) -> bool:
    real = path.resolve()
    return real.is_relative_to(held) or held.is_relative_to(real)


def _is_binary(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def _holds_too_much(path: Path, source: Source) -> bool:
    real = path.resolve()
    return any(each.resolve().is_relative_to(real) for each in (Path.home(), source.repository))


def programs(words: Sequence[str]) -> Iterator[str]:
    """Yield the words that are started as programs, as far as they can be told: the first, and what `env` starts."""
    left = list(words)
    while left:
        yield left[0]
        if Path(left[0]).name != "env":
            return
        left = left[1:]
        while left and (left[0].startswith("-") or "=" in left[0]):
            if left[0] in ("-S", "--split-string"):
                return
            left = left[2:] if left[0] in ("-u", "--unset", "-C", "--chdir") else left[1:]
