"""Whether a command's program can be started in its jail, and what must be shown so that it can."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from evaluator.command import words as command_words
from evaluator.errors import UserError
from evaluator.jail.file_system import FileSystem
from evaluator.jail.mounts import in_system
from evaluator.workspace import expanded

# Programs that are one file and need nothing beside it.
_ALONE = ("uv", "uvx", "just")
# Of an environment (venv, conda): what runs.
_PARTS = ("bin", "lib", "lib32", "lib64", "libexec", "include", "ssl", "pyvenv.cfg")
_MOST_LINKS = 40


def needed(words: Sequence[str], path: str, folder: Path) -> Iterator[Path]:
    """Yield what the jail must show besides what it shows anyway: environments of interpreters that are named by
    their whole path, and programs that are one file. `path` is PATH, `folder` where the command runs."""
    for word in command_words.programs(words):
        for found in _candidates(word, path, folder):
            yield from _environment(found)
            if found.name in _ALONE and not in_system(found):
                yield from _steps(found)


def require(
    key: str, words: Sequence[str], file_system: FileSystem, env: Mapping[str, str], *, jailed: bool
) -> None:
    """Raise `UserError`, naming the word and the fix, where a program of `words` can't be started."""
    assert file_system.tree is not None
    for word in command_words.programs(words):
        reason = _fault(word, file_system, env.get("PATH", os.defpath), jailed)
        if reason is not None:
            raise UserError(f"{key}: {word}: can't be started: {reason}")


def _fault(word: str, file_system: FileSystem, path: str, jailed: bool) -> str | None:
    assert file_system.tree is not None
    unseen: Path | None = None
    for found in _candidates(word, path, file_system.tree.place):
        here = _on_this_machine(found, file_system)
        if here is None or not here.is_file():
            continue
        if jailed and not _is_shown(found, here, file_system):
            unseen = unseen or here
            continue
        if not os.access(here, os.X_OK):
            return f"it is not executable: `chmod +x {word}`, or put its interpreter before it"
        return _fault_of_interpreter(here, file_system, path, jailed)
    if unseen is not None:
        return (
            f"the jail does not show {unseen}: name what it needs in `evaluator: {{read: [{_root(unseen)}]}}`"
        )
    return "there is no such program"


def _fault_of_interpreter(script: Path, file_system: FileSystem, path: str, jailed: bool) -> str | None:
    try:
        with script.open("rb") as file:
            first = file.readline(300)
    except OSError:
        return None
    if not first.startswith(b"#!"):
        return None
    named = first[2:].decode(errors="replace").split()
    for word in command_words.programs(named):
        fault = None if word == str(script) else _fault(word, file_system, path, jailed)
        if fault is not None:
            return f"it begins with #!{' '.join(named)}, and of {word}, {fault}"
    return None


def _candidates(word: str, path: str, folder: Path) -> Iterator[Path]:
    """Yield where a program may lie, as the kernel and shells look for it."""
    if "/" in word:
        yield Path(os.path.normpath(folder / expanded(word)))
        return
    for each in path.split(os.pathsep):
        found = Path(each or ".", word)
        if found.is_file():
            yield found


def _on_this_machine(found: Path, file_system: FileSystem) -> Path | None:
    """Return the file that is seen at `found`."""
    assert file_system.tree is not None
    place = file_system.tree.place
    if found.is_relative_to(place):
        for source in file_system.tree.sources:
            if os.path.lexists(source / found.relative_to(place)):
                return source / found.relative_to(place)
    for source, target in file_system.placed:
        if found.is_relative_to(target):
            return source / found.relative_to(target)
    return found if os.path.exists(found) else None  # noqa: PTH110  (never raises)


def _is_shown(found: Path, here: Path, file_system: FileSystem) -> bool:
    """Whether a program is seen, and all that its symbolic links lead through."""
    assert file_system.tree is not None
    shown = [*file_system.read_only, *file_system.writable, *(target for _, target in file_system.placed)]
    if here != found:  # in the tree
        return True
    for step in (*_steps(found), found.resolve()):
        if not in_system(step) and not any(step.is_relative_to(each) for each in shown):
            return False
    return True


def _steps(path: Path) -> Iterator[Path]:
    for _ in range(_MOST_LINKS):
        yield path
        if not path.is_symlink():
            return
        path = Path(os.path.normpath(path.parent / path.readlink()))


def _environment(program: Path) -> Iterator[Path]:
    """Yield the parts of the virtual or conda environment whose interpreter `program` is."""
    prefix = program.parent.parent
    settings = prefix / "pyvenv.cfg"
    if program.parent.name != "bin" or not (settings.is_file() or (prefix / "conda-meta").is_dir()):
        return
    yield from _steps(program)
    prefixes = [prefix, program.resolve().parent.parent]
    if settings.is_file():
        home = re.search(r"(?m)^home\s*=\s*(.+)$", settings.read_text(errors="replace"))
        prefixes += [Path(home[1].strip()).parent] if home else []
    for each in dict.fromkeys(prefixes):
        yield from (each / part for part in _PARTS if not in_system(each / part))


def _root(program: Path) -> Path:
    """Return the folder that a program was installed into, as far as its path tells."""
    return program.parent.parent if program.parent.name in ("bin", "sbin", "libexec") else program.parent
