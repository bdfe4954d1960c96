"""What a Python needs to be shown in a jail: the interpreter, its library, and site-packages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from evaluator.jail.mounts import in_system

if TYPE_CHECKING:
    from evaluator.interpreter.interpreter import Interpreter

# Of an installation (venv, pyenv, conda, uv): what runs. Not share, pkgs or envs, which may hold anything.
_PARTS = ("bin", "lib", "lib32", "lib64", "libexec", "include", "ssl", "nvvm", "targets", "pyvenv.cfg")
_PART_GLOBS = ("*-linux-gnu",)  # conda's compilers look for their libraries there
_STORES = (Path("/nix/store"), Path("/gnu/store"))  # readable by everybody, and needed from all over
_SITES = ("site-packages", "dist-packages")


def python_paths(interpreter: Interpreter) -> tuple[Path, ...]:
    """Return the existing paths to bind, as few and as narrow as works; none that every jail shows anyway.

    The source trees of editable installations are not among them.
    """
    kept: list[Path] = []
    for path in _wanted(interpreter):
        if path.exists() and not in_system(path) and not any(path.is_relative_to(each) for each in kept):
            kept.append(path)
    return tuple(kept)


def too_wide(path: Path) -> bool:
    """Whether showing a folder would show what is nobody's library: the root, somebody's home, or all homes."""
    real = path.resolve()
    home = Path("~").expanduser().resolve()
    return real in (*home.parents, home, *map(Path, ("/root", "/etc", "/var", "/tmp", "/run", "/proc"))) or (
        real.parent == Path("/home")
    )


def _wanted(interpreter: Interpreter) -> Iterator[Path]:
    for prefix in interpreter.prefixes:
        for root in dict.fromkeys((prefix, os.path.realpath(prefix))):
            yield from (Path(root, part) for part in _PARTS)
            if Path(root) not in (Path("/"), Path("/usr")):
                yield from (each for glob in _PART_GLOBS for each in sorted(Path(root).glob(glob)))
    for store in _STORES:
        if interpreter.executable.resolve().is_relative_to(store):
            yield store
    yield from map(Path, interpreter.library)
    for entry in map(Path, interpreter.path):
        if entry.is_absolute() and entry.name in _SITES:
            yield entry
    for entry in map(Path, interpreter.path):
        yield from _led_to(entry)
    yield from _links(interpreter.executable)
    named = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    yield from (Path(each) for each in (*interpreter.libraries, *named) if each and not too_wide(Path(each)))


def _led_to(folder: Path) -> Iterator[Path]:
    """Yield what the packages in a folder of imports really are, where links stand for them: whole ones, or each
    file of them (`uv pip install --link-mode symlink`), which then lie in uv's cache."""
    try:
        entries = sorted(os.scandir(folder), key=lambda each: each.name)
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.is_symlink():
            real = path.resolve()
            if real.exists() and not too_wide(real):
                yield real
        elif entry.is_dir():
            yield from _led_to_by_files(path)


def _led_to_by_files(package: Path) -> Iterator[Path]:
    try:
        first = next(
            (each for each in os.scandir(package) if each.name.endswith((".py", ".so", "METADATA"))), None
        )
    except OSError:
        return
    if first is not None and first.is_symlink():
        real = Path(first.path).resolve().parent
        if real.name == package.name and real.exists() and not too_wide(real):
            yield real


def _links(path: Path) -> Iterator[Path]:
    """Yield an executable and all that its symbolic links lead through."""
    for _ in range(40):  # as many as the kernel follows
        yield path
        if not path.is_symlink():
            return
        path = Path(os.path.normpath(path.parent / path.readlink()))
